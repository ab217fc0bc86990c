/* \file The bytes behind Template.h. The build passes the paths of the two files.
 * SPDX-License-Identifier: MIT
 */
        .section .rodata
        .balign 64
        .globl segc_tensorcore_template, segc_tensorcore_template_end, segc_tensorcore_warp, segc_tensorcore_warp_end
        .hidden segc_tensorcore_template, segc_tensorcore_template_end, segc_tensorcore_warp, segc_tensorcore_warp_end
segc_tensorcore_template:
        .incbin SEGC_TEMPLATE_FILE
segc_tensorcore_template_end:
        .balign 64
segc_tensorcore_warp:
        .incbin SEGC_WARP_FILE
segc_tensorcore_warp_end:
        .section .note.GNU-stack, "", %progbits
