# What a core may need from outside, and whether it can train: cmake -DCORE=.. -DNM=.. -DTRAINS=0|1
# -P runtime_symbols.cmake
# SPDX-License-Identifier: MIT
execute_process(COMMAND ${NM} -g ${CORE} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "\n" ";" symbols "${symbols}")
foreach(symbol ${symbols})
  if(symbol MATCHES " U (_Z|__cxa|__gxx|_Unwind|__tls_get_addr|halide_)")
    message(SEND_ERROR "the core refers to a C++ library, thread-local storage or Halide:${symbol}")
  elseif(symbol MATCHES " [WVu] " AND NOT symbol MATCHES " W segc_pool_v[0-9]+_")
    message(SEND_ERROR "only the pool is shared between models:${symbol}")
  endif()
endforeach()
string(FIND "${symbols}" " T segc_model_step" step)
if((TRAINS AND step EQUAL -1) OR (NOT TRAINS AND step GREATER -1))
  message(SEND_ERROR "of the two cores, that of libraries that train has the functions of training, and it alone")
endif()
