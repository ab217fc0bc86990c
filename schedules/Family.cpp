/// \file The registry of schedule families and what can be said about any schedule: text form, choice,
/// checks.
// SPDX-License-Identifier: MIT
#include "schedules/Family.h"
#include "schedules/cpu/Families.h"
#include "schedules/gpu/Families.h"
#include <algorithm>
#include <sstream>

namespace segc::schedules {
namespace {

struct IsaRow {
  Isa isa;
  const char *name;
  int lanes;
};
constexpr IsaRow kIsas[] = {{Isa::Amx, "amx", 16},          {Isa::Avx512Bf16, "avx512bf16", 16},
                            {Isa::Avx512, "avx512", 16},    {Isa::Avx2, "avx2", 8},
                            {Isa::Portable, "portable", 4}, {Isa::OpenCl, "opencl", 1},
                            {Isa::Cuda, "cuda", 1}};

std::string join(const std::vector<int> &values) {
  std::string text;
  for (int v : values)
    text += (text.empty() ? "" : ", ") + std::to_string(v);
  return text;
}

} // namespace

int lanes(Isa isa) { return kIsas[int(isa)].lanes; }
bool isGpu(Isa isa) { return isa == Isa::OpenCl || isa == Isa::Cuda; }
bool isAvx512(Isa isa) { return isa == Isa::Amx || isa == Isa::Avx512Bf16 || isa == Isa::Avx512; }
std::string name(Isa isa) { return kIsas[int(isa)].name; }
std::optional<Isa> parseIsa(const std::string &text) {
  for (const IsaRow &row : kIsas)
    if (text == row.name)
      return row.isa;
  return std::nullopt;
}

std::string Schedule::print() const {
  std::string text = family;
  for (const auto &[name, value] : params)
    text += " " + name + "=" + std::to_string(value);
  return text;
}

std::variant<Schedule, std::string> Schedule::parse(const std::string &text) {
  std::istringstream in(text);
  Schedule schedule;
  std::string token;
  if (!(in >> schedule.family))
    return std::string("a schedule starts with the name of a family");
  while (in >> token) {
    const size_t equals = token.find('=');
    const std::string value = equals == std::string::npos ? "" : token.substr(equals + 1);
    const bool digits =
        !value.empty() && value.size() < 10 && value.find_first_not_of("0123456789") == std::string::npos;
    if (!digits || equals == 0)
      return "schedule '" + text + "': '" + token + "' is not of the form name=number";
    if (!schedule.params.emplace(token.substr(0, equals), std::stoi(value)).second)
      return "schedule '" + text + "': '" + token.substr(0, equals) + "' is given twice";
  }
  return schedule;
}

const std::vector<Family> &families() {
  static const std::vector<Family> all = {
      amxPartsFamily(),     amxCopyFamily(),        amxFamily(),          depthwiseFamily(),
      winogradBf16Family(), winogradFreshFamily(),  winogradFamily(),     deepConvFamily(),
      directConvFamily(),   headFamily(),           separableFamily(),    packConvFamily(),
      poolFamily(),         unpoolFamily(),         takeFamily(),         upsampleFamily(),
      planesFamily(),       gatherFamily(),         pointwiseFamily(),    reduceSumFamily(),
      softmaxFamily(),      softmaxGradFamily(),    argmaxFamily(),       relayoutFamily(),
      padFamily(),          padTransposeFamily(),   convertFamily(),      prepareFamily(),
      wgradAmxFamily(),     wgradWinogradFamily(),  wgradDirectFamily(),  unpackWgradFamily(),
      channelSumsFamily(),  finishSumsFamily(),     finishGroupsFamily(), lossSumsFamily(),
      finishLossFamily(),   lossGradFamily(),       optimizerFamily(),    binMeansFamily(),
      axisSumsFamily(),     tensorCores90aFamily(), tensorCoresFamily(),  convTileFamily(),
      wgradTileFamily(),    unpackTileFamily(),     sharesFamily(),       finishSharesFamily(),
      threadsFamily(),
  };
  return all;
}

namespace {

/// Whether a family serves this target at all.
bool serves(const Family &family, Isa isa) { return family.onGpu == isGpu(isa); }

/// The family's own reason against a spec, or that it knows nothing of phases.
std::string whyNot(const Family &family, const KernelSpec &spec, Isa isa) {
  const bool knowsPhases = family.name.rfind("tensor_cores", 0) == 0 || family.name == "amx";
  return !spec.word("phases").empty() && !knowsPhases ? "it computes one convolution a launch"
                                                      : family.whyNot(spec, isa);
}

} // namespace

const Family *findFamily(const std::string &name) {
  for (const Family &family : families())
    if (family.name == name)
      return &family;
  return nullptr;
}

const std::vector<std::string> &winogradFamilies() {
  static const std::vector<std::string> names = {"winograd", "winograd_fresh", "winograd_bf16",
                                                 "wgrad_winograd"};
  return names;
}

std::variant<Schedule, std::string> chooseSchedule(const KernelSpec &spec, Isa isa,
                                                   const std::vector<std::string> &without) {
  std::string reasons;
  const Family *applies = nullptr; // the first one, though it does not pay
  for (const Family &family : families()) {
    if (!serves(family, isa) || std::find(without.begin(), without.end(), family.name) != without.end())
      continue;
    const std::string reason = whyNot(family, spec, isa);
    if (!reason.empty())
      reasons += "\n  " + family.name + ": " + reason;
    else if (!family.pays || family.pays(spec, isa))
      return family.choose(spec, isa);
    else if (!applies)
      applies = &family;
  }
  if (applies)
    return applies->choose(spec, isa);
  return "no schedule family computes '" + spec.print() + "' on " + name(isa) + ":" + reasons;
}

int granuleOf(const std::string &schedule) {
  const Family *family = findFamily(schedule.substr(0, schedule.find(' ')));
  return family ? family->granule : 1;
}

std::array<int, 2> storedPhases(const KernelSpec &spec, const Schedule &schedule) {
  const Family *family = findFamily(schedule.family);
  if (!family || !family->storesPhases)
    return {1, 1};
  return {spec.get("d"), spec.get("d", 1)};
}

Schedule settleSchedule(const KernelSpec &spec, const Schedule &schedule, Isa isa, int64_t offset) {
  Schedule settled = schedule;
  const Family *family = findFamily(schedule.family);
  if (!family || !family->onGpu)
    return settled;
  for (const Parameter &parameter : family->parameters(spec, isa)) {
    const std::string &name = parameter.name;
    if (name != "vector" && name != "load" && name != "store")
      continue;
    int best = 1;
    for (int value : parameter.legal)
      if (value <= schedule.params.at(name) && offset % value == 0)
        best = std::max(best, value);
    settled.params[name] = best;
  }
  return settled;
}

std::string whyNotReduced(const KernelSpec &spec) {
  const std::string reduction = spec.reduction(), together = spec.pooling().empty()
                                                                 ? "all channels of a pixel"
                                                                 : "the four pixels of a pool";
  return reduction.empty() ? "" : "it does not have " + together + " together, as +" + reduction + " needs";
}
std::string whyNotScaled(const KernelSpec &spec) {
  return spec.word("read") == "scaled" ? "it does not multiply what it reads (read=scaled)" : "";
}
std::string whyNotPlain(const KernelSpec &spec) {
  const std::string why = whyNotReduced(spec);
  return why.empty() ? whyNotScaled(spec) : why;
}

std::string whyNoGroups(const KernelSpec &spec) {
  return spec.get("c") % spec.get("g") || spec.get("k") % spec.get("g")
             ? "the groups do not divide the channels"
             : "";
}

std::string checkSchedule(const KernelSpec &spec, const Schedule &schedule, Isa isa) {
  const Family *family = findFamily(schedule.family);
  if (!family) {
    std::string known;
    for (const Family &f : families())
      known += (known.empty() ? "" : ", ") + f.name;
    return "unknown schedule family '" + schedule.family + "'; there are " + known;
  }
  const std::string reason = serves(*family, isa) ? whyNot(*family, spec, isa)
                             : family->onGpu      ? "it is for GPUs"
                                                  : "it is for processors";
  if (!reason.empty())
    return "family " + family->name + " does not apply: " + reason;
  const std::vector<Parameter> parameters = family->parameters(spec, isa);
  for (const auto &[name, value] : schedule.params) {
    const auto known = std::find_if(parameters.begin(), parameters.end(),
                                    [&, &n = name](const Parameter &p) { return p.name == n; });
    if (known == parameters.end())
      return "family " + family->name + " has no parameter '" + name + "'";
    if (std::find(known->legal.begin(), known->legal.end(), value) == known->legal.end())
      return family->name + " " + name + "=" + std::to_string(value) + " is not legal here; legal are " +
             join(known->legal);
  }
  for (const Parameter &p : parameters)
    if (!schedule.params.count(p.name))
      return "parameter '" + p.name + "' of family " + family->name + " is missing; legal are " +
             join(p.legal);
  return "";
}

std::vector<KernelSpec> weightParts(const KernelSpec &spec) {
  if (spec.op != "separable")
    return {spec};
  const int c = spec.get("c");
  KernelSpec depthwise = spec, pointwise = spec;
  for (KernelSpec *part : {&depthwise, &pointwise}) {
    part->op = "conv";
    part->words.erase("mid");
  }
  depthwise.fields["k"] = depthwise.fields["g"] = depthwise.fields["out"] = {c};
  depthwise.epilogues.clear();
  pointwise.fields["in"] = {c};
  pointwise.fields["g"] = {1};
  for (const char *field : {"r", "s", "d"})
    pointwise.fields[field] = {1, 1};
  return {depthwise, pointwise};
}

double flops(const KernelSpec &spec, int64_t n, int64_t h, int64_t w) {
  // A kernel that pools has the extents of its maxima.
  const double outputs = double(n) * double(h) * double(w) * (spec.pooling().empty() ? 1 : 4);
  if (spec.op == "separable")
    return 2 * outputs * spec.get("c") * (double(spec.get("r")) * spec.get("r", 1) + spec.get("k"));
  const double window = double(spec.get("r")) * spec.get("r", 1);
  if (spec.op == "conv" || spec.op == "conv_wgrad")
    return 2 * outputs * spec.get("k") * window * spec.get("c") / spec.get("g") * spec.number("phases", 1);
  const double elements = outputs * std::max(spec.get("c"), 1);
  const bool isResizing = spec.op == "upsample" || spec.op == "export_upsample";
  return spec.op == "maxpool" || spec.op == "avgpool"    ? elements * window
         : isResizing && spec.word("mode") == "bilinear" ? 8 * elements
         : isResizing && spec.word("mode") == "bicubic"  ? 40 * elements
                                                         : elements;
}

} // namespace segc::schedules
