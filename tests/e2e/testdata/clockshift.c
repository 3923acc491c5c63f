// A clock that is wrong, for a program that is linked dynamically: put into LD_PRELOAD, it
// moves the time of day by CLOCK_SHIFT seconds. It asks the kernel itself, so that nothing
// is allocated and nothing looked up: an allocator asks for the time before it can allocate.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static long shift(void) {
	const char *s = getenv("CLOCK_SHIFT");
	return s ? atol(s) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *ts) {
	long r = syscall(SYS_clock_gettime, clock, ts);
	if (r == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) ts->tv_sec += shift();
	return r;
}

int gettimeofday(struct timeval *tv, void *zone) {
	(void)zone;
	struct timespec ts;
	if (clock_gettime(CLOCK_REALTIME, &ts)) return -1;
	tv->tv_sec = ts.tv_sec;
	tv->tv_usec = ts.tv_nsec / 1000;
	return 0;
}

time_t time(time_t *to) {
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	if (to) *to = ts.tv_sec;
	return ts.tv_sec;
}
