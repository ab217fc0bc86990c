/// \file Warnings about a whole network.
// SPDX-License-Identifier: MIT
#include "compiler/tools/Warnings.h"
#include "compiler/report/Summary.h"
#include "llvm/Support/raw_ostream.h"
#include <cmath>

using namespace mlir;

namespace segc {

/// -Wasymmetric. An hourglass comes back to the size that it started from; one with fewer steps up than down
/// answers for blocks of pixels. That may be meant (a classifier, scores that are resized elsewhere), so the
/// warning is off by default.
static void warnAsymmetric(LoadedModel &input) {
  if (isTraining(*input.graph))
    return;
  for (const OutputField &output : summarise(*input.graph, {}).outputs) {
    // Resizing to sizes that are no multiples leaves a step a little more or less than 2.
    long steps = std::lround(std::log2(output.field.jump));
    if (steps < 1)
      continue;
    const ModelOutput *written = nullptr;
    for (const ModelOutput &candidate : input.model->outputs)
      if (candidate.name == output.name)
        written = &candidate;
    std::string side = std::to_string(std::lround(output.field.jump));
    input.diagnostics->warning(written ? written->loc : llvm::SMLoc(),
                               "asymmetric hourglass: a pixel of output " + quote(output.name) +
                                   " stands for " + side + " x " + side + " pixels of the input; there " +
                                   (steps == 1 ? "is 1 step" : "are " + std::to_string(steps) + " steps") +
                                   " fewer up than down");
  }
}

void giveWarnings(const ToolOptions &options, LoadedModel &input) {
  bool asymmetric = false;
  for (StringRef given : options.all(options::OPT_warning)) {
    StringRef name = given;
    bool on = !name.consume_front("no-");
    if (name == "asymmetric")
      asymmetric = on;
    else
      llvm::errs() << "note: -W" << given << ": there is no such warning" << suggestion(name, {"asymmetric"})
                   << "\n";
  }
  if (asymmetric)
    warnAsymmetric(input);
}

} // namespace segc
