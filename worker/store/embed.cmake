# cmake -DFROM=functions.lua -DTO=functions.c -P embed.cmake: a text as a constant array.
file(READ ${FROM} hex HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)"
       "\\1\n" bytes "${bytes}")
file(WRITE ${TO} "#include <stddef.h>\n#include <stdint.h>\n\n"
  "extern const uint8_t store_functions[];\nextern const size_t store_functions_size;\n\n"
  "const uint8_t store_functions[] = {\n${bytes}\n};\n"
  "const size_t store_functions_size = sizeof store_functions;\n")
