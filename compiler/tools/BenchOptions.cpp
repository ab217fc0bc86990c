/// \file The flags that models and single kernels are timed with.
// SPDX-License-Identifier: MIT
#include "compiler/tools/BenchOptions.h"
#include "llvm/ADT/SmallVector.h"
#include <algorithm>
#include <thread>

namespace segc {

bool readThreads(const ToolOptions &options, std::vector<int> &threads) {
  std::string list = options.value(options::OPT_threads_eq);
  llvm::SmallVector<llvm::StringRef> parts;
  llvm::StringRef(list).split(parts, ',');
  for (llvm::StringRef part : parts)
    if (int count = 0; !list.empty()) {
      if (part.getAsInteger(10, count) || count < 1 || count > 256) {
        fail("-threads '" + list + "' must be numbers from 1 to 256 with commas between them, such as 1,2");
        return false;
      }
      threads.push_back(count);
    }
  if (threads.empty())
    threads.push_back(static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
  return true;
}

bool readSeconds(const ToolOptions &options, double fallback, double &seconds) {
  seconds = fallback;
  const std::string text = options.value(options::OPT_seconds_eq);
  if (!options.has(options::OPT_seconds_eq) ||
      (!llvm::StringRef(text).getAsDouble(seconds) && seconds > 0 && seconds <= 3600))
    return true;
  fail("-seconds '" + text + "' must be a number above 0, at most 3600");
  return false;
}

} // namespace segc
