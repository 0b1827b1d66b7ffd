#include "worker/core/jobs.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum err jobs_init(struct jobs *jobs, uint32_t capacity) {
    *jobs = (struct jobs){.capacity = capacity, .idle = JOB_LIST_EMPTY};
    jobs->items = calloc(capacity, sizeof *jobs->items);
    if (!jobs->items) return ERR_NOMEM;
    for (uint32_t job = 0; job < capacity; job++)
        job_list_append(jobs, &jobs->idle, job);
    return ERR_NONE;
}

void jobs_fini(struct jobs *jobs) {
    free(jobs->items);
    *jobs = (struct jobs){0};
}

uint32_t jobs_take(struct jobs *jobs) {
    uint32_t job = job_list_pop(jobs, &jobs->idle);
    if (job == JOB_NONE) return job;
    memset(&jobs->items[job], 0, offsetof(struct job, reason) + 1);
    jobs->items[job].next = JOB_NONE;
    return job;
}

/// The last that was given back is the next to be taken: it is still in the cache.
void jobs_give_back(struct jobs *jobs, uint32_t job) {
    struct job_list front = JOB_LIST_EMPTY;
    job_list_append(jobs, &front, job);
    job_list_prepend(jobs, &jobs->idle, &front);
}

uint32_t jobs_held(const struct jobs *jobs) {
    return jobs->capacity - jobs->idle.count;
}

void job_list_append(struct jobs *jobs, struct job_list *list, uint32_t job) {
    jobs->items[job].next = JOB_NONE;
    if (list->count++ == 0)
        list->first = job;
    else
        jobs->items[list->last].next = job;
    list->last = job;
}

uint32_t job_list_pop(struct jobs *jobs, struct job_list *list) {
    if (list->count == 0) return JOB_NONE;
    uint32_t job = list->first;
    list->first = jobs->items[job].next;
    if (--list->count == 0) *list = JOB_LIST_EMPTY;
    return job;
}

void job_list_prepend(struct jobs *jobs, struct job_list *list, struct job_list *front) {
    if (front->count == 0) return;
    if (list->count > 0) {
        jobs->items[front->last].next = list->first;
        front->last = list->last;
        front->count += list->count;
    }
    *list = *front;
    *front = JOB_LIST_EMPTY;
}
