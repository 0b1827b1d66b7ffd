#pragma once
// tresen-gateway check-peer [OPTION]... -- PROGRAM [ARGUMENT]...

/// The whole command, argv[0] being its name. Exit status: 0 no rule was broken, 1 one was or the
/// trial could not be brought to its end, 2 wrong use.
int check_peer(int argc, char **argv);
