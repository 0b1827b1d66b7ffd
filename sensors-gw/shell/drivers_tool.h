#pragma once
// tresen-gateway drivers [NAME]

/// The whole command, argv[0] being its name: what drivers there are, or all about one of them,
/// from their own tables. Exit status: 0, or 2 for wrong use.
int drivers_tool(int argc, char **argv);
