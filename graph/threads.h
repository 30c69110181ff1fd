/* graph/threads.h: how tasks are divided among threads. Private to the library.
 *
 * Every thread begins with a part of the tasks that is the same whenever as many tasks are divided among as many
 * threads, and then helps those that are not done. So one loop finds in the caches of a core what the loop before has
 * left there, and yet nobody waits long for a thread whose core has other work, too. Which thread does a task is
 * nothing that a result may depend on. */
#ifndef GT_GRAPH_THREADS_H
#define GT_GRAPH_THREADS_H

#include <stdint.h>

/* How many threads would share work here: 1 without GT_WITH_OPENMP, and for a caller that is itself one of a team's
 * threads, unless it has asked OpenMP for nested teams. */
int gt__threads(void);

/* How many of them share so many tasks. */
int gt__threads_for(int64_t tasks);

/* Does task i of a job; `thread` is below the number of threads that was asked for. */
typedef void gt__task(const void *job, int64_t i, int thread);

/* Does tasks 0 to n - 1, each once, on at most so many threads, which all compute in the caller's float mode. Returns
 * when all are done. */
void gt__share(int64_t n, int threads, gt__task *task, const void *job);

#endif
