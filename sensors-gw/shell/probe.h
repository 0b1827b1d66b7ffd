#pragma once
// tresen-gateway probe [OPTION]... : what the drivers of a gateway's file see, within seconds.

/// The whole command, argv[0] being its name. Nothing is spooled, nothing is sent. Exit status: 0
/// something was seen, 1 nothing was or a driver failed, 2 wrong use.
int probe(int argc, char **argv);
