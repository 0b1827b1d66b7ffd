# cmake -DTO=functions.c -P embed.cmake -- PART.lua ...: texts, one behind the other, as one array, and
# the revision that they say they are.
set(behind FALSE)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
  if(behind)
    file(STRINGS ${CMAKE_ARGV${i}} line REGEX "^local REVISION = [0-9]+$")
    string(APPEND revision "${line}")
    file(READ ${CMAKE_ARGV${i}} part HEX)
    string(APPEND hex ${part})
  elseif(CMAKE_ARGV${i} STREQUAL "--")
    set(behind TRUE)
  endif()
endforeach()
if(NOT revision MATCHES "^local REVISION = ([0-9]+)$")
  message(FATAL_ERROR "one line of the Lua text has to be: local REVISION = NUMBER")
endif()
set(revision ${CMAKE_MATCH_1})
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
string(REGEX REPLACE "(................................................................................)"
       "\\1\n" bytes "${bytes}")
file(WRITE ${TO} "#include <stddef.h>\n#include <stdint.h>\n\n"
  "extern const uint8_t store_functions[];\nextern const size_t store_functions_size;\n"
  "extern const int64_t store_functions_revision;\n\n"
  "const uint8_t store_functions[] = {\n${bytes}\n};\n"
  "const size_t store_functions_size = sizeof store_functions;\n"
  "const int64_t store_functions_revision = ${revision};\n")
