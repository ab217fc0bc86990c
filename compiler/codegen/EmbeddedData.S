/* \file The bytes behind Embedded.h. The build passes the paths of the files.
 * SPDX-License-Identifier: MIT
 */
        .section .rodata
        .balign 64
        .globl segc_embedded_core, segc_embedded_core_end, segc_embedded_header, segc_embedded_header_end
        .globl segc_embedded_training, segc_embedded_training_end
        .globl segc_embedded_gpu, segc_embedded_gpu_end
        .globl segc_embedded_gpu_training, segc_embedded_gpu_training_end
        .hidden segc_embedded_core, segc_embedded_core_end, segc_embedded_header, segc_embedded_header_end
        .hidden segc_embedded_training, segc_embedded_training_end
        .hidden segc_embedded_gpu, segc_embedded_gpu_end
        .hidden segc_embedded_gpu_training, segc_embedded_gpu_training_end
segc_embedded_core:
        .incbin SEGC_CORE_FILE
segc_embedded_core_end:
        .balign 64
segc_embedded_training:
        .incbin SEGC_TRAINING_FILE
segc_embedded_training_end:
        .balign 64
segc_embedded_gpu:
        .incbin SEGC_GPU_FILE
segc_embedded_gpu_end:
        .balign 64
segc_embedded_gpu_training:
        .incbin SEGC_GPU_TRAINING_FILE
segc_embedded_gpu_training_end:
segc_embedded_header:
        .incbin SEGC_HEADER_FILE
segc_embedded_header_end:
        .section .note.GNU-stack, "", %progbits
