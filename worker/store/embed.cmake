# cmake -DTO=functions.c -P embed.cmake -- PART.lua ...: texts, one behind the other, as one array.
set(behind FALSE)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
  if(behind)
    file(READ ${CMAKE_ARGV${i}} part HEX)
    string(APPEND hex ${part})
  elseif(CMAKE_ARGV${i} STREQUAL "--")
    set(behind TRUE)
  endif()
endforeach()
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)"
       "\\1\n" bytes "${bytes}")
file(WRITE ${TO} "#include <stddef.h>\n#include <stdint.h>\n\n"
  "extern const uint8_t store_functions[];\nextern const size_t store_functions_size;\n\n"
  "const uint8_t store_functions[] = {\n${bytes}\n};\n"
  "const size_t store_functions_size = sizeof store_functions;\n")
