#include "tests/unit/drivers/stage.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

// Broken recordings: bytes changed, cut out and doubled. Whatever comes, the driver ends or says
// why not; the sanitizers watch. Seeded, so that a failure comes again.

enum { RUNS = 400 };

static uint64_t state = 20261123;

static uint32_t below(uint32_t bound) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return (uint32_t)(state >> 33) % bound;
}

static void mutate(const char *good, char *bad, size_t room) {
    static const char bytes[] = "\n\n,\t\"{}[]:;0-9.eE\r\\#\xff\x01 TZnull";
    size_t size = strlen(good);
    memcpy(bad, good, size + 1);
    for (uint32_t count = 1 + below(6); count > 0; count--) {
        size_t at = below((uint32_t)size), length = below(12);
        if (at + length > size) length = size - at;
        switch (below(3)) {
        case 0:
            bad[at] = bytes[below(sizeof bytes - 1)];
            break;
        case 1:
            memmove(bad + at, bad + at + length, size - at - length + 1);
            size -= length;
            break;
        default:
            if (size + length + 1 > room) break;
            memmove(bad + at + length, bad + at, size - at + 1);
            size += length;
        }
        if (size == 0) return;
    }
}

static void survives(const char *yaml, const char *good) {
    char bad[4096], path[32];
    int fd = memfd_create("mutation", MFD_CLOEXEC);
    cr_assert(ge(int, fd, 0));
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    for (int run = 0; run < RUNS; run++) {
        mutate(good, bad, sizeof bad);
        size_t size = strlen(bad);
        cr_assert(eq(int, ftruncate(fd, 0), 0));
        cr_assert(eq(sz, (size_t)pwrite(fd, bad, size, 0), size));
        struct play options = {.budget = 1 + below(8), .restart_every = below(4)};
        struct played played = stage_play(&options, yaml, path);
        cr_assert(ne(int, played.err, ERR_NONE));
        cr_assert(played.err == ERR_END || played.problem.text[0] != '\0', "run %d", run);
        played_free(&played);
    }
    close(fd);
}

Test(mutation, no_service_log_is_too_broken) {
    survives("driver: queue\npath: %s\nkey: [ticket]\ndate: date\nissued: [issued]\n"
             "started: [started]\nended: [ended]\nleft: [ended]\ncounter: {column: desk}\n"
             "outcome: {column: result, map: {D: normal, L: abandoned}}\nemployee: who\n",
             "date,ticket,issued,started,ended,desk,result,who\n"
             "2026-11-23,1,9:00:00,9:01:00,9:02:00,desk-1,D,Ada\n"
             "2026-11-23,2,9:00:30,,9:03:00,desk-1,L,\n"
             "2026-11-23,3,23:59:30,0:01:00,0:02:00,desk-2,D,Bo\n");
}

Test(mutation, no_positions_are_too_broken) {
    survives("driver: tracks\npath: %s\nstart: 2026-11-23T09:00:00\ncounters:\n"
             "  - {counter: desk-1, x: 0, y: 0, reach: 3, employees: [ada]}\n",
             "t_s,person,x_m,y_m\n0.0,ada,0,0\n0.0,7,0,1\n0.0,8,1,1\n0.5,ada,0,0\n0.5,7,0,1\n"
             "1.0,ada,0,0\n1.0,7,0.25,1\n1.0,8,1e0,-1\n");
}

Test(mutation, no_lines_are_too_broken) {
    survives("driver: jsonl\npath: %s\ndesk_prefix: desk-\ncounter: desk-4\n",
             "{\"t\":1000,\"ticket\":\"A1\",\"ev\":\"issued\",\"queue\":\"cash\"}\n"
             "{\"t\":2000,\"ticket\":\"A1\",\"ev\":\"called\",\"desk\":\"1\"}\n"
             "{\"t\":2500,\"measure\":\"distance.client\",\"value\":1.25,\"confidence\":0.5}\n"
             "{\"t\":\"1970-01-01T00:00:03Z\",\"measure\":\"audio.phrase\",\"label\":\"hi\"}\n"
             "{\"watch\":{\"measure\":\"audio.phrase\",\"from\":2000,\"to\":3500}}\n"
             "{\"fact\":\"encounter\",\"id\":\"e\",\"employee\":\"Ada\",\"started\":3000}\n"
             "{\"fact\":\"gap\",\"from\":1,\"to\":2,\"reason\":\"x\"}\n{\"watermark\":4000}\n");
}

Test(mutation, no_faces_are_too_broken) {
    survives("driver: vision\npath: %s\nformat: openface\ncounter: desk-1\n"
             "start: 2026-11-23T09:00:00\n",
             "frame, timestamp, confidence, success, AU06_c, AU12_c, pose_Rx, pose_Ry\n"
             "1, 0.000, 0.98, 1, 0, 1, 0.1, 0.2\n2, 0.500, 0.98, 1, 1, 1, 0.1, 0.2\n"
             "3, 1.000, 0.21, 0, 0, 0, 0, 0\n4, 2.500, 0.95, 1, 0, 1, -0.1, nan\n");
    survives("driver: vision\npath: %s\nformat: mediapipe\ncounter: desk-1\n"
             "start: 2026-11-23T09:00:00\n",
             "{\"t\":12.48,\"faceBlendshapes\":[{\"categories\":[{\"score\":0.71,\"categoryName\":"
             "\"mouthSmileLeft\"},{\"score\":0.69,\"categoryName\":\"mouthSmileRight\"}]}]}\n"
             "{\"t\":12.513,\"faceBlendshapes\":[]}\n"
             "{\"t\":12.546,\"poseLandmarks\":[[{\"x\":0.51}]]}\n");
}

Test(mutation, no_sheets_are_too_broken) {
    survives("driver: form\npath: %s\ncounter_prefix: desk-\nevery_s: 60\nanswers:\n"
             "  - {column: badge, measure: appearance.badge, values: {yes: 1, no: 0}}\n"
             "  - {column: tidy, measure: appearance.tidiness}\n",
             "date,counter,from,to,badge,tidy\n2026-11-23,1,9:00,9:10,yes,4\n"
             "2026-11-23,2,9:30,9:45,no,\n2026-11-23,1,10:00,10:05,,2.5\n");
}
