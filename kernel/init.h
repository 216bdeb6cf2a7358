#pragma once
/* The last step of the boot: the initramfs and process 1. */
void init_start(void);
