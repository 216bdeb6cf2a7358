#pragma once
/* The table: at least one row for each system call, ours or not (call.h says how to read them). */
#include <asm/unistd.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include "call.h"
#include "fixture.h"

#define ROW(call, variant, flags, ...)             \
	{                                          \
#call variant, __NR_##call, flags, \
		{                                  \
			__VA_ARGS__                \
		}                                  \
	}

#include "rows_files.h"
#include "rows_names.h"
#include "rows_memory.h"
#include "rows_process.h"
#include "rows_signal.h"
#include "rows_time.h"
#include "rows_system.h"

#define ROW_COUNT(list) (sizeof(list) / sizeof(list[0]))
#define ROWS                                                                       \
	(ROW_COUNT(rows_files) + ROW_COUNT(rows_names) + ROW_COUNT(rows_memory) +  \
	 ROW_COUNT(rows_process) + ROW_COUNT(rows_signal) + ROW_COUNT(rows_time) + \
	 ROW_COUNT(rows_system))

static const struct entry *row_at(unsigned i)
{
	static const struct {
		const struct entry *rows;
		unsigned n;
	} lists[] = {
		{ rows_files, ROW_COUNT(rows_files) },	 { rows_names, ROW_COUNT(rows_names) },
		{ rows_memory, ROW_COUNT(rows_memory) }, { rows_process, ROW_COUNT(rows_process) },
		{ rows_signal, ROW_COUNT(rows_signal) }, { rows_time, ROW_COUNT(rows_time) },
		{ rows_system, ROW_COUNT(rows_system) },
	};
	unsigned k = 0;

	while (i >= lists[k].n)
		i -= lists[k++].n;
	return &lists[k].rows[i];
}
