#pragma once
/* A function in a child of its own, for what cannot be undone in the test itself. */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * The exit status of a child that runs @fn, 128 and the signal that ended it; told when it is not
 * 0.
 */
static inline int in_child(int (*fn)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(fn());
	waitpid(pid, &status, 0);
	if (status)
		printf("# a child's wait status: %#x\n", (unsigned)status);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
