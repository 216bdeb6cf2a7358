#pragma once
/* Boot: the words ntp= (sntp.c) and netconsole= (netconsole.c). ctx: thread; sleeps */
void sntp_start(void);
void netconsole_start(void);
