# Writes OUT with SEGC_KERNEL_BUILD_ID: the SHA-256 over the contents of SOURCES (a list) and of the Halide library.
# Contents, not dates or paths: two builds of the same tree share their cached kernels.
set(digests "")
foreach(file ${SOURCES})
  get_filename_component(name ${file} NAME)
  file(SHA256 ${file} digest)
  string(APPEND digests "${name} ${digest}\n")
endforeach()
string(SHA256 id "${digests}")
file(WRITE ${OUT} "#define SEGC_KERNEL_BUILD_ID \"${id}\"\n")
