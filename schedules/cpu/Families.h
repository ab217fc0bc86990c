/// \file The families of the CPU back end, one function each beside the file that builds it.
// SPDX-License-Identifier: MIT
#pragma once
#include "schedules/Family.h"

namespace segc::schedules {

/// Why a family that stores all channels refuses a spec that ends in a reduction of them; empty for others.
std::string whyNotReduced(const KernelSpec &spec);
/// Why a family that reads its operand as it is refuses a convolution that scales it; empty for others.
std::string whyNotScaled(const KernelSpec &spec);
/// The first of the two reasons; empty if there is none.
std::string whyNotPlain(const KernelSpec &spec);
/// Why no family computes a convolution whose groups do not divide its channels; empty for others.
std::string whyNoGroups(const KernelSpec &spec);

// Convolutions.
Family amxCopyFamily();
Family amxFamily();
Family amxPartsFamily();
Family depthwiseFamily();
Family winogradFreshFamily();
Family winogradFamily();
Family winogradBf16Family();
Family deepConvFamily();
Family directConvFamily();
Family headFamily();
Family separableFamily();
Family packConvFamily();
Family wgradAmxFamily();
Family wgradWinogradFamily();
Family wgradDirectFamily();
Family unpackWgradFamily();

// Bound by memory: every element is touched once or a few times.
Family poolFamily();
Family unpoolFamily();
Family upsampleFamily();
Family planesFamily();
Family gatherFamily();
Family pointwiseFamily();
Family reduceSumFamily();
Family softmaxFamily();
Family softmaxGradFamily();
Family takeFamily();
Family argmaxFamily();
Family relayoutFamily();
Family padFamily();
Family padTransposeFamily();
Family convertFamily();
Family prepareFamily();

// Training: sums over pixels and what is made of them.
Family channelSumsFamily();
Family finishSumsFamily();
Family finishGroupsFamily();
Family lossSumsFamily();
Family finishLossFamily();
Family lossGradFamily();

// Training: flat vectors.
Family optimizerFamily();

} // namespace segc::schedules
