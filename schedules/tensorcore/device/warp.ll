; The primitives of device/Primitives.h as NVVM intrinsics. Inlined everywhere, so that pointers to locals vanish.
; SPDX-License-Identifier: MIT
target triple = "nvptx64-nvidia-cuda"

; Dynamic shared memory: its size is the launch's.
@segc_shared = external addrspace(3) global [0 x i8], align 128

declare i32 @llvm.nvvm.read.ptx.sreg.tid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.y()
declare i32 @llvm.nvvm.read.ptx.sreg.ctaid.z()
declare void @llvm.nvvm.barrier.cta.sync.aligned.all(i32)
declare { float, float, float, float } @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32, i32, i32, i32, i32, i32, float, float, float, float)
declare { float, float, float, float } @llvm.nvvm.mma.m16n8k16.row.col.f32.f32(<2 x half>, <2 x half>, <2 x half>, <2 x half>, <2 x half>, <2 x half>, float, float, float, float)
declare { float, float, float, float } @llvm.nvvm.mma.m16n8k8.row.col.tf32(i32, i32, i32, i32, i32, i32, float, float, float, float)
declare { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3))
declare { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16.p3(ptr addrspace(3))
declare void @llvm.nvvm.cp.async.cg.shared.global.16.s(ptr addrspace(3), ptr addrspace(1), i32)
declare void @llvm.nvvm.cp.async.commit.group()
declare void @llvm.nvvm.cp.async.wait.group(i32 immarg)
declare void @llvm.nvvm.fence.proxy.async.shared_cta()
declare void @llvm.nvvm.wgmma.fence.sync.aligned()
declare void @llvm.nvvm.wgmma.commit_group.sync.aligned()
declare void @llvm.nvvm.wgmma.wait_group.sync.aligned(i64 immarg)
declare i32 @llvm.nvvm.shfl.sync.bfly.i32(i32, i32, i32, i32)
declare <2 x bfloat> @llvm.nvvm.ff2bf16x2.rn(float, float)
declare i32 @llvm.nvvm.f2tf32.rna(float)
declare float @llvm.nvvm.ex2.approx.ftz.f32(float)

define i32 @segc_warp_thread() #0 {
  %r = call i32 @llvm.nvvm.read.ptx.sreg.tid.x()
  ret i32 %r
}
define i32 @segc_warp_block() #0 {
  %r = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.x()
  ret i32 %r
}
define i32 @segc_warp_phase() #0 {
  %r = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.y()
  ret i32 %r
}
define i32 @segc_warp_part() #0 {
  %r = call i32 @llvm.nvvm.read.ptx.sreg.ctaid.z()
  ret i32 %r
}
define void @segc_warp_barrier() #0 {
  call void @llvm.nvvm.barrier.cta.sync.aligned.all(i32 0)
  ret void
}

define private void @store_quad(ptr %to, { float, float, float, float } %v) #0 {
  %v0 = extractvalue { float, float, float, float } %v, 0
  %v1 = extractvalue { float, float, float, float } %v, 1
  %v2 = extractvalue { float, float, float, float } %v, 2
  %v3 = extractvalue { float, float, float, float } %v, 3
  %p1 = getelementptr i8, ptr %to, i32 4
  %p2 = getelementptr i8, ptr %to, i32 8
  %p3 = getelementptr i8, ptr %to, i32 12
  store float %v0, ptr %to, align 4
  store float %v1, ptr %p1, align 4
  store float %v2, ptr %p2, align 4
  store float %v3, ptr %p3, align 4
  ret void
}
define void @segc_warp_mma_bf16(ptr %acc, ptr %a, ptr %b) #0 {
  %a0 = load i32, ptr %a, align 4
  %ap1 = getelementptr i8, ptr %a, i32 4
  %a1 = load i32, ptr %ap1, align 4
  %ap2 = getelementptr i8, ptr %a, i32 8
  %a2 = load i32, ptr %ap2, align 4
  %ap3 = getelementptr i8, ptr %a, i32 12
  %a3 = load i32, ptr %ap3, align 4
  %b0 = load i32, ptr %b, align 4
  %bp1 = getelementptr i8, ptr %b, i32 4
  %b1 = load i32, ptr %bp1, align 4
  %c0 = load float, ptr %acc, align 4
  %cp1 = getelementptr i8, ptr %acc, i32 4
  %c1 = load float, ptr %cp1, align 4
  %cp2 = getelementptr i8, ptr %acc, i32 8
  %c2 = load float, ptr %cp2, align 4
  %cp3 = getelementptr i8, ptr %acc, i32 12
  %c3 = load float, ptr %cp3, align 4
  %r = call { float, float, float, float } @llvm.nvvm.mma.m16n8k16.row.col.bf16(i32 %a0, i32 %a1, i32 %a2, i32 %a3, i32 %b0, i32 %b1, float %c0, float %c1, float %c2, float %c3)
  call void @store_quad(ptr %acc, { float, float, float, float } %r)
  ret void
}
define void @segc_warp_mma_f16(ptr %acc, ptr %a, ptr %b) #0 {
  %a0 = load <2 x half>, ptr %a, align 4
  %ap1 = getelementptr i8, ptr %a, i32 4
  %a1 = load <2 x half>, ptr %ap1, align 4
  %ap2 = getelementptr i8, ptr %a, i32 8
  %a2 = load <2 x half>, ptr %ap2, align 4
  %ap3 = getelementptr i8, ptr %a, i32 12
  %a3 = load <2 x half>, ptr %ap3, align 4
  %b0 = load <2 x half>, ptr %b, align 4
  %bp1 = getelementptr i8, ptr %b, i32 4
  %b1 = load <2 x half>, ptr %bp1, align 4
  %c0 = load float, ptr %acc, align 4
  %cp1 = getelementptr i8, ptr %acc, i32 4
  %c1 = load float, ptr %cp1, align 4
  %cp2 = getelementptr i8, ptr %acc, i32 8
  %c2 = load float, ptr %cp2, align 4
  %cp3 = getelementptr i8, ptr %acc, i32 12
  %c3 = load float, ptr %cp3, align 4
  %r = call { float, float, float, float } @llvm.nvvm.mma.m16n8k16.row.col.f32.f32(<2 x half> %a0, <2 x half> %a1, <2 x half> %a2, <2 x half> %a3, <2 x half> %b0, <2 x half> %b1, float %c0, float %c1, float %c2, float %c3)
  call void @store_quad(ptr %acc, { float, float, float, float } %r)
  ret void
}
define void @segc_warp_mma_tf32(ptr %acc, ptr %a, ptr %b) #0 {
  %a0 = load i32, ptr %a, align 4
  %ap1 = getelementptr i8, ptr %a, i32 4
  %a1 = load i32, ptr %ap1, align 4
  %ap2 = getelementptr i8, ptr %a, i32 8
  %a2 = load i32, ptr %ap2, align 4
  %ap3 = getelementptr i8, ptr %a, i32 12
  %a3 = load i32, ptr %ap3, align 4
  %b0 = load i32, ptr %b, align 4
  %bp1 = getelementptr i8, ptr %b, i32 4
  %b1 = load i32, ptr %bp1, align 4
  %c0 = load float, ptr %acc, align 4
  %cp1 = getelementptr i8, ptr %acc, i32 4
  %c1 = load float, ptr %cp1, align 4
  %cp2 = getelementptr i8, ptr %acc, i32 8
  %c2 = load float, ptr %cp2, align 4
  %cp3 = getelementptr i8, ptr %acc, i32 12
  %c3 = load float, ptr %cp3, align 4
  %r = call { float, float, float, float } @llvm.nvvm.mma.m16n8k8.row.col.tf32(i32 %a0, i32 %a1, i32 %a2, i32 %a3, i32 %b0, i32 %b1, float %c0, float %c1, float %c2, float %c3)
  call void @store_quad(ptr %acc, { float, float, float, float } %r)
  ret void
}
define void @segc_warp_ldmatrix(ptr %to, i32 %shared) #0 {
  %from = getelementptr i8, ptr addrspace(3) @segc_shared, i32 %shared
  %r = call { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.b16.p3(ptr addrspace(3) %from)
  %r0 = extractvalue { i32, i32, i32, i32 } %r, 0
  store i32 %r0, ptr %to, align 4
  %p1 = getelementptr i8, ptr %to, i32 4
  %r1 = extractvalue { i32, i32, i32, i32 } %r, 1
  store i32 %r1, ptr %p1, align 4
  %p2 = getelementptr i8, ptr %to, i32 8
  %r2 = extractvalue { i32, i32, i32, i32 } %r, 2
  store i32 %r2, ptr %p2, align 4
  %p3 = getelementptr i8, ptr %to, i32 12
  %r3 = extractvalue { i32, i32, i32, i32 } %r, 3
  store i32 %r3, ptr %p3, align 4
  ret void
}
define void @segc_warp_ldmatrix_trans(ptr %to, i32 %shared) #0 {
  %from = getelementptr i8, ptr addrspace(3) @segc_shared, i32 %shared
  %r = call { i32, i32, i32, i32 } @llvm.nvvm.ldmatrix.sync.aligned.m8n8.x4.trans.b16.p3(ptr addrspace(3) %from)
  %r0 = extractvalue { i32, i32, i32, i32 } %r, 0
  store i32 %r0, ptr %to, align 4
  %p1 = getelementptr i8, ptr %to, i32 4
  %r1 = extractvalue { i32, i32, i32, i32 } %r, 1
  store i32 %r1, ptr %p1, align 4
  %p2 = getelementptr i8, ptr %to, i32 8
  %r2 = extractvalue { i32, i32, i32, i32 } %r, 2
  store i32 %r2, ptr %p2, align 4
  %p3 = getelementptr i8, ptr %to, i32 12
  %r3 = extractvalue { i32, i32, i32, i32 } %r, 3
  store i32 %r3, ptr %p3, align 4
  ret void
}
define void @segc_warp_cp_async16(i32 %shared, ptr %from, i32 %bytes) #0 {
  %to = getelementptr i8, ptr addrspace(3) @segc_shared, i32 %shared
  %global = addrspacecast ptr %from to ptr addrspace(1)
  call void @llvm.nvvm.cp.async.cg.shared.global.16.s(ptr addrspace(3) %to, ptr addrspace(1) %global, i32 %bytes)
  ret void
}
define void @segc_warp_cp_async_commit() #0 {
  call void @llvm.nvvm.cp.async.commit.group()
  ret void
}
; The instruction wants an immediate: of these only one is left once the number of stages is known.
define void @segc_warp_cp_async_wait(i32 %pending) #0 {
  switch i32 %pending, label %none [
    i32 1, label %one
    i32 2, label %two
    i32 3, label %three
    i32 4, label %four
  ]
none:
  call void @llvm.nvvm.cp.async.wait.group(i32 0)
  ret void
one:
  call void @llvm.nvvm.cp.async.wait.group(i32 1)
  ret void
two:
  call void @llvm.nvvm.cp.async.wait.group(i32 2)
  ret void
three:
  call void @llvm.nvvm.cp.async.wait.group(i32 3)
  ret void
four:
  call void @llvm.nvvm.cp.async.wait.group(i32 4)
  ret void
}
; Generate.cpp writes segc_warp_wgmma for the shape that a kernel has.
define i32 @segc_warp_shared_base() #0 {
  %r = ptrtoint ptr addrspace(3) @segc_shared to i32
  ret i32 %r
}
define void @segc_warp_fence_async() #0 {
  call void @llvm.nvvm.fence.proxy.async.shared_cta()
  ret void
}
define void @segc_warp_wgmma_fence() #0 {
  call void @llvm.nvvm.wgmma.fence.sync.aligned()
  ret void
}
define void @segc_warp_wgmma_commit() #0 {
  call void @llvm.nvvm.wgmma.commit_group.sync.aligned()
  ret void
}
define void @segc_warp_wgmma_wait(i32 %pending) #0 {
  %one = icmp eq i32 %pending, 1
  br i1 %one, label %some, label %none
some:
  call void @llvm.nvvm.wgmma.wait_group.sync.aligned(i64 1)
  ret void
none:
  call void @llvm.nvvm.wgmma.wait_group.sync.aligned(i64 0)
  ret void
}
define i32 @segc_warp_shuffle_xor(i32 %value, i32 %mask) #0 {
  %r = call i32 @llvm.nvvm.shfl.sync.bfly.i32(i32 -1, i32 %value, i32 %mask, i32 31)
  ret i32 %r
}

define void @segc_warp_shared_store8(i32 %shared, float %a, float %b) #0 {
  %to = getelementptr i8, ptr addrspace(3) @segc_shared, i32 %shared
  %v0 = insertelement <2 x float> poison, float %a, i32 0
  %v1 = insertelement <2 x float> %v0, float %b, i32 1
  store <2 x float> %v1, ptr addrspace(3) %to, align 8
  ret void
}
define void @segc_warp_shared_load16(ptr %to, i32 %shared) #0 {
  %from = getelementptr i8, ptr addrspace(3) @segc_shared, i32 %shared
  %v = load <4 x float>, ptr addrspace(3) %from, align 16
  store <4 x float> %v, ptr %to, align 4
  ret void
}
define i32 @segc_warp_shared_load4(i32 %shared) #0 {
  %from = getelementptr i8, ptr addrspace(3) @segc_shared, i32 %shared
  %v = load i32, ptr addrspace(3) %from, align 4
  ret i32 %v
}
define float @segc_warp_load4(ptr %from) #0 {
  %global = addrspacecast ptr %from to ptr addrspace(1)
  %v = load float, ptr addrspace(1) %global, align 4
  ret float %v
}
define void @segc_warp_load16(ptr %to, ptr %from) #0 {
  %global = addrspacecast ptr %from to ptr addrspace(1)
  %v = load <4 x i32>, ptr addrspace(1) %global, align 16
  store <4 x i32> %v, ptr %to, align 4
  ret void
}
define void @segc_warp_store16(ptr %to, ptr %from) #0 {
  %global = addrspacecast ptr %to to ptr addrspace(1)
  %v = load <4 x i32>, ptr %from, align 4
  store <4 x i32> %v, ptr addrspace(1) %global, align 16
  ret void
}
define void @segc_warp_store8(ptr %to, i32 %low, i32 %high) #0 {
  %global = addrspacecast ptr %to to ptr addrspace(1)
  %v0 = insertelement <2 x i32> poison, i32 %low, i32 0
  %v1 = insertelement <2 x i32> %v0, i32 %high, i32 1
  store <2 x i32> %v1, ptr addrspace(1) %global, align 8
  ret void
}
define void @segc_warp_store4(ptr %to, float %value) #0 {
  %global = addrspacecast ptr %to to ptr addrspace(1)
  store float %value, ptr addrspace(1) %global, align 4
  ret void
}

define i32 @segc_warp_pack_bf16(float %low, float %high) #0 {
  %v = call <2 x bfloat> @llvm.nvvm.ff2bf16x2.rn(float %high, float %low)
  %r = bitcast <2 x bfloat> %v to i32
  ret i32 %r
}
define i32 @segc_warp_pack_f16(float %low, float %high) #0 {
  %l = fptrunc float %low to half
  %h = fptrunc float %high to half
  %v0 = insertelement <2 x half> poison, half %l, i32 0
  %v1 = insertelement <2 x half> %v0, half %h, i32 1
  %r = bitcast <2 x half> %v1 to i32
  ret i32 %r
}
define float @segc_warp_unpack_f16(i32 %bits) #0 {
  %low = trunc i32 %bits to i16
  %v = bitcast i16 %low to half
  %r = fpext half %v to float
  ret float %r
}
define i32 @segc_warp_round_tf32(i32 %bits) #0 {
  %v = bitcast i32 %bits to float
  %r = call i32 @llvm.nvvm.f2tf32.rna(float %v)
  ret i32 %r
}
define float @segc_warp_exp2(float %v) #0 {
  %r = call float @llvm.nvvm.ex2.approx.ftz.f32(float %v)
  ret float %r
}

attributes #0 = { alwaysinline convergent nounwind }
