#!/usr/bin/env python3
"""The libraries registered PURE use no clock, file, socket, randomness, thread, process or log.

usage: pure.py NM ARCHIVE ...
"""
import os
import re
import subprocess
import sys

FORBIDDEN = {
    "a clock": r"clock|clock_gettime|clock_getres|time|ftime|gettimeofday|times|timespec_get"
               r"|localtime(_r)?|mktime|tzset|strftime|sleep|usleep|nanosleep|clock_nanosleep|alarm"
               r"|setitimer|timer_\w+|timerfd_\w+",
    "a file": r"f?open(at)?(64)?|fdopen|freopen(64)?|creat(64)?|p?read(v|64)?|p?write(v|64)?|fread"
              r"|fgets|getline|getdelim|fwrite|fputs|fputc|putc|fflush|f?stat(64)?|lstat|fstatat"
              r"|unlink|rename|mkdir|opendir|readdir|mmap(64)?|fsync|fdatasync|ioctl|fcntl(64)?|close",
    "a socket": r"socket(pair)?|connect|bind|listen|accept4?|send(to|msg)?|recv(from|msg)?|poll"
                r"|p?select|epoll_\w+|getaddrinfo|pipe2?|eventfd",
    "randomness": r"getrandom|getentropy|rand(_r)?|srand|random(_r)?|srandom|[dejlmn]rand48"
                  r"|arc4random\w*|randombytes\w*",
    "a thread or process": r"pthread_create|thrd_create|fork|vfork|exec[lv]\w*|posix_spawnp?"
                           r"|system|popen|kill|signal|sigaction",
    "a log or the environment": r"v?f?printf|vdprintf|dprintf|puts|putchar|perror|v?syslog"
                                r"|std(in|out|err)|secure_getenv|getenv|setenv|exit|_exit|abort",
    "a library that does such things": r"zmq_\w+|uv_\w+|redis\w+|sqlite3_\w+|gz\w+",
}
# The checked and versioned names of libc: __read_chk, __isoc99_fscanf, read@GLIBC_2.2.5.
NAME = re.compile(r"^\s*U\s+(?:__isoc\d+_)?(?:__)?(\w+?)(?:_chk)?(?:@.*)?$")


def undefined(nm, archive):
    """(member, symbol) of everything that the archive takes from elsewhere."""
    output = subprocess.run([nm, "-u", archive], check=True, capture_output=True, text=True).stdout
    member = ""
    for line in output.splitlines():
        if line.endswith(":"):
            member = line[:-1]
        match = NAME.match(line)
        if match:
            yield member, match.group(1)


def main():
    nm, archives = sys.argv[1], sys.argv[2:]
    wrong, seen = [], 0
    for archive in archives:
        if not os.path.exists(archive):
            wrong.append(f"{archive}: not built yet")
            continue
        for member, symbol in undefined(nm, archive):
            seen += 1
            for what, pattern in FORBIDDEN.items():
                if re.fullmatch(pattern, symbol):
                    wrong.append(f"{os.path.basename(archive)}, {member}: {symbol} is {what}")
    print("\n".join(wrong) or f"{len(archives)} libraries, {seen} symbols, all pure")
    sys.exit(bool(wrong) or seen == 0)


if __name__ == "__main__":
    main()
