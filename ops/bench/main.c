// tresen-bench: drives one path of the benchmark; ops/bench/run starts it and what it needs.

#include "common/settings/command.h"
#include "ops/bench/bench.h"

#include <string.h>

static const struct bench_path *const paths[] = {
    &bench_load,   &bench_direct, &bench_direct_best,  &bench_redis_streams, &bench_zmq,
    &bench_memcpy, &bench_engine, &bench_engine_plain, &bench_settling,      &bench_settling_late,
    NULL};

static void list_paths(FILE *out, bool yaml) {
    if (yaml) return;
    fputs("\nPaths:\n", out);
    for (size_t i = 0; paths[i]; i++)
        fprintf(out, "  %-16s %s\n", paths[i]->name, paths[i]->summary);
}

static const struct bench_path *path_find(const struct command_line *line) {
    for (size_t i = 0; line->rest_count == 1 && paths[i]; i++)
        if (!strcmp(paths[i]->name, line->rest[0])) return paths[i];
    return NULL;
}

int main(int argc, char **argv) {
    static struct command_line line;
    static struct bench bench;
    static const struct command command = {
        .name = "tresen-bench",
        .summary = "Sends the benchmark's workload along one path. Says \"ready\", waits for a "
                   "line on standard input, prints one line of JSON, and waits for another.",
        .rest = "PATH",
        .settings = bench_settings,
        .more = list_paths};
    enum command_step step = command_read(&command, argc, argv, &bench.settings, &line);
    if (step == COMMAND_GO) {
        (void)catalogue_load(bench.settings.config_dir, &bench.catalogue, &line.problems);
        step = command_checked(&line);
    }
    int status = step == COMMAND_GO ? 0 : command_exit(&line, step);
    if (step == COMMAND_GO) {
        bench.workload = (struct workload){
            .branches = &bench.catalogue.branches,
            .measures = &bench.catalogue.measures.measures,
            .encounters = (uint32_t)bench.settings.encounters,
            .samples = (uint32_t)bench.settings.encounter_samples,
            .batch = (uint32_t)bench.settings.batch_observations,
        };
        const struct bench_path *path = path_find(&line);
        status = path ? path->run(&bench) : bench_fail("name one path; see --help");
        (void)command_exit(&line, step);
    }
    catalogue_free(&bench.catalogue);
    return status;
}
