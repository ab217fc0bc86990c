/// \file The switch between fibers: registers that calls preserve, and the stack pointer. x86-64 only, since
/// system calls (as in swapcontext) would cost more than the instructions that warps meet at.
// SPDX-License-Identifier: MIT
#include "compiler/emulate/Fiber.h"
#include <cstdint>
#include <cstring>
#include <new>
#include <sys/mman.h>

#ifndef __x86_64__
#error "the emulated warp switches stacks by x86-64 instructions"
#endif

// segc_fiber_change(void **from, void *to); segc_fiber_start calls r12(r13) on a fresh stack.
asm(R"(
        .text
        .type segc_fiber_change, @function
segc_fiber_change:
        pushq %rbp
        pushq %rbx
        pushq %r12
        pushq %r13
        pushq %r14
        pushq %r15
        movq %rsp, (%rdi)
        movq %rsi, %rsp
        popq %r15
        popq %r14
        popq %r13
        popq %r12
        popq %rbx
        popq %rbp
        ret
        .size segc_fiber_change, .-segc_fiber_change
        .type segc_fiber_start, @function
segc_fiber_start:
        movq %r13, %rdi
        callq *%r12
        ud2
        .size segc_fiber_start, .-segc_fiber_start
)");
extern "C" void segc_fiber_change(void **from, void *to);
extern "C" void segc_fiber_start();

namespace segc::emulate {

Fiber::~Fiber() {
  if (stack)
    munmap(stack - guardBytes, guardBytes + stackBytes);
}

void Fiber::prepare(void (*enter)(void *), void *argument) {
  if (!stack) {
    void *pages =
        mmap(nullptr, guardBytes + stackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
      throw std::bad_alloc();
    mprotect(pages, guardBytes, PROT_NONE);
    stack = static_cast<char *>(pages) + guardBytes;
  }
  // What segc_fiber_change pops: r15, r14, r13, r12, rbx, rbp, return address. rsp is then `end`, aligned as
  // a call wants it.
  const uintptr_t end = (reinterpret_cast<uintptr_t>(stack) + stackBytes) & ~uintptr_t(15);
  void *frame[7] = {nullptr,
                    nullptr,
                    argument,
                    reinterpret_cast<void *>(enter),
                    nullptr,
                    nullptr,
                    reinterpret_cast<void *>(segc_fiber_start)};
  top = reinterpret_cast<void *>(end - sizeof frame);
  std::memcpy(top, frame, sizeof frame);
}

void Fiber::change(Fiber &from, Fiber &to) { segc_fiber_change(&from.top, to.top); }

} // namespace segc::emulate
