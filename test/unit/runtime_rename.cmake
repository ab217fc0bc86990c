# Makes one model's object and header out of the core, as segc's linking step does: cmake -DNAME=.. -DCORE=..
# -DHEADER=.. -DOUT=.. -DNM=.. -DOBJCOPY=.. -P runtime_rename.cmake
# SPDX-License-Identifier: MIT
execute_process(COMMAND ${NM} -g ${CORE} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL " segc_model_[a-z_0-9]+" symbols "${symbols}") # at a name's start: not in mangled ones
set(renames "")
foreach(symbol ${symbols})
  string(STRIP ${symbol} symbol)
  string(REPLACE segc_model_ ${NAME}_ renamed ${symbol})
  string(APPEND renames "${symbol} ${renamed}\n")
endforeach()
file(WRITE ${OUT}.renames "${renames}")
# Names to keep are those before the renaming.
execute_process(COMMAND ${OBJCOPY} --redefine-syms=${OUT}.renames --wildcard
  --keep-global-symbol=segc_model_* --keep-global-symbol=${NAME}_* --keep-global-symbol=segc_pool_*
  ${CORE} ${OUT}.o COMMAND_ERROR_IS_FATAL ANY)
file(READ ${HEADER} text)
string(TOUPPER ${NAME} upper)
string(REPLACE segc_model_ ${NAME}_ text "${text}")
string(REPLACE SEGC_MODEL_ ${upper}_ text "${text}")
file(WRITE ${OUT}.h "${text}")
