/// \file The template as one unit: compiled to bitcode when segc is built, embedded in it, specialised by
/// LLVM.
// SPDX-License-Identifier: MIT
#include "schedules/tensorcore/device/Conv.cpp"
#include "schedules/tensorcore/device/Pack.cpp"
#include "schedules/tensorcore/device/Steps.cpp"
#include "schedules/tensorcore/device/WeightGradient.cpp"
