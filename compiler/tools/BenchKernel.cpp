/// \file Reads the flags, prepares the kernels, checks them, times them in turn.
// SPDX-License-Identifier: MIT
#include "compiler/tools/BenchKernel.h"
#include "compiler/tools/BenchKernelCode.h"
#include "compiler/tools/BenchKernelJudge.h"
#include "compiler/tools/BenchKernelPoints.h"
#include "compiler/tools/BenchOptions.h"
#include "compiler/tools/BenchRounds.h"
#include "compiler/tools/ToolSupport.h"
#include "runtime/core/Cpu.h"
#include "runtime/files/WriteWhole.h"
#include "schedules/Compile.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"
#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <numeric>
#include <random>
#include <unistd.h>

namespace segc {
namespace {

using schedules::Family;
using schedules::KernelSpec;
using schedules::Schedule;

/// The largest error of the maximum: what Winograd's transforms leave, in f32 or, where it computes in bf16,
/// there; and half a unit of the last place of what is stored.
double toleranceOf(const std::string &dtype) { return dtype == "bf16" ? 3e-2 : dtype == "f16" ? 2e-3 : 1e-4; }

/// Launches that one schedule takes: its kernel, and for a weight gradient the kernel that unpacks.
struct Contestant {
  struct Launch {
    rt::KernelFn function;
    std::vector<halide_buffer_t *> arguments;
  };
  std::vector<Launch> launches;
};

class KernelBench {
public:
  KernelBench(const ToolOptions &options, KernelReport &report) : options(options), report(report) {}

  /// What the flags say; false after printing an error.
  bool read();
  /// -emit: prints the code of the schedule instead; the exit code.
  int emit();
  /// Compiles, packs, runs and compares each schedule; false after printing an error.
  bool prepare();
  void measure();

private:
  bool readTarget();
  bool readPoints();
  bool readSchedule();
  /// Leaves out points whose packed gradient would be out of proportion; takes memory for the others.
  void reserveGradients();
  bool pack(const Family &family, const Schedule &schedule, std::vector<halide_buffer_t *> &arguments,
            std::string &failure);
  Contestant contestant(const Schedule &schedule, const LoadedKernel &kernel, std::string &failure);
  /// The kernel of a problem that prepares or finishes for others, at its rule's point.
  const LoadedKernel &helper(const std::string &problem);
  std::string run(const Contestant &contestant, KernelThreads &threads);
  KernelRun time(int threads);

  const ToolOptions &options;
  KernelReport &report;
  JobOptions jobs;
  std::vector<std::string> without;
  std::vector<Schedule> points;
  std::string rule; ///< its choice
  std::vector<int> threads;
  double seconds = 0;

  std::unique_ptr<KernelCode> code;
  std::unique_ptr<KernelTensors> tensors;
  std::map<std::string, LoadedKernel> helpers;
  std::map<std::string, std::unique_ptr<BenchTensor>> packed; ///< filters as schedules want them
  std::unique_ptr<BenchTensor> gradient;                      ///< memory of packed gradients
  std::deque<PhasedBuffer> phased;                            ///< results of kernels that store phases
  std::deque<BenchTensor> gradients;                          ///< how each schedule sees it
  std::vector<Contestant> contestants;
  std::vector<KernelResult> results; ///< of the same numbers
  uint64_t scratchBytes = 0;
};

bool KernelBench::readTarget() {
  auto compile = readCompileOptions(options);
  if (!compile)
    return false;
  if (schedules::isGpu(compile->variants.front()))
    return fail("-kernel times kernels of processors: leave out -target"), false;
  if (compile->variants.size() > 1)
    return fail("-kernel times one instruction set: give -mcpu one name"), false;
  std::string error;
  const schedules::Isa native = parseVariants("native", error, report.spec.dtype).front();
  report.isa = options.has(options::OPT_mcpu_eq) ? compile->variants.front() : native;
  const bool hasTiles = report.isa != schedules::Isa::Amx || rt::availableIsa(rt::kIsaAmx);   // asks for them
  const bool runs = report.isa >= parseVariants("native", error, "bf16").front() && hasTiles; // best first
  if (!runs && !options.has(options::OPT_emit_eq))
    return fail("this machine cannot run " + schedules::name(report.isa) + ": leave out -mcpu"), false;
  if (!compile->winograd)
    without = schedules::winogradFamilies();
  jobs.executable = compile->executable;
  jobs.workers = compile->workers;
  jobs.cacheDirectory = compile->cacheDirectory;
  return true;
}

bool KernelBench::readPoints() {
  const bool all = options.has(options::OPT_all_points), near = options.has(options::OPT_near);
  if (all && near)
    return fail("-near tries what differs from one schedule, -all everything: give one of them"), false;
  if (all && options.has(options::OPT_schedule_eq))
    return fail("-all tries all schedules: give it or -schedule, not both"), false;
  if (!all && options.has(options::OPT_limit_eq))
    return fail("-limit goes with -all"), false;
  auto limit = options.number(options::OPT_limit_eq, 200, 1, 100'000);
  if (!limit)
    return false;
  auto legal = legalPoints(report.spec, report.isa, without, static_cast<size_t>(*limit));
  if (auto *why = std::get_if<std::string>(&legal))
    return fail(*why), false;
  points = std::get<KernelPoints>(legal).points;
  rule = points.front().print();
  report.isSearch = all || near;
  report.legal = std::get<KernelPoints>(legal).legal;
  if (all)
    return true;
  points.resize(1);
  if (options.has(options::OPT_schedule_eq) && !readSchedule())
    return false;
  if (!near)
    return true;
  for (Schedule &point : pointsNear(report.spec, report.isa, points.front()))
    points.push_back(std::move(point));
  const auto isRule = [&](const Schedule &point) { return point.print() == rule; };
  if (std::none_of(points.begin(), points.end(), isRule))
    points.push_back(std::get<KernelPoints>(legal).points.front());
  return true;
}

bool KernelBench::readSchedule() {
  auto parsed = Schedule::parse(options.value(options::OPT_schedule_eq));
  if (auto *why = std::get_if<std::string>(&parsed))
    return fail(*why), false;
  points.front() = std::get<Schedule>(parsed);
  const bool isOff = std::find(without.begin(), without.end(), points.front().family) != without.end();
  const std::string wrong = isOff ? "-winograd off leaves out family " + points.front().family
                                  : checkSchedule(report.spec, points.front(), report.isa);
  if (!wrong.empty())
    return fail("-schedule: " + wrong + "\n  the rule's choice here is: " + rule), false;
  return true;
}

bool KernelBench::read() {
  auto spec = KernelSpec::parse(options.value(options::OPT_kernel_eq));
  if (auto *why = std::get_if<std::string>(&spec))
    return fail(*why + " (docs/kernels.md lists problems)"), false;
  report.spec = std::get<KernelSpec>(spec);
  const bool isRun = !options.has(options::OPT_emit_eq);
  if (const std::string why = KernelLoop::whyNot(report.spec); isRun && !why.empty())
    return fail("kernel problem '" + report.spec.print() + "': " + why), false;
  if (options.has(options::OPT_extents_eq)) {
    auto extents = KernelExtents::parse(options.value(options::OPT_extents_eq));
    if (!extents)
      return fail("-extents '" + options.value(options::OPT_extents_eq) +
                  "' must be HEIGHTxWIDTH or HEIGHTxWIDTHxIMAGES such as 64x64x1, each from 1 to 65535"),
             false;
    report.extents = *extents;
  }
  report.spec.likelyWidth = static_cast<int>(report.extents.w);
  report.spec.likelyHeight = static_cast<int>(report.extents.h);
  if (!isRun)
    return readTarget() && readPoints();
  auto made = KernelTensors::make(report.spec, report.extents);
  if (auto *why = std::get_if<std::string>(&made))
    return fail(*why), false;
  tensors = std::move(std::get<std::unique_ptr<KernelTensors>>(made));
  if (!readTarget() || !readPoints() || !readThreads(options, threads))
    return false;
  constexpr double kDefault = 3, kPoint = 0.1; // seconds
  return readSeconds(options, std::max(kDefault, kPoint * double(points.size())), seconds);
}

int KernelBench::emit() {
  const std::string kind = options.value(options::OPT_emit_eq);
  if (kind != "stmt" && kind != "llvm" && kind != "asm")
    return fail("with -kernel -emit is stmt, llvm or asm, not '" + kind + "'");
  if (report.isSearch)
    return fail("-emit shows one schedule: leave out -all and -near");
  auto result = schedules::compileKernel(
      {"segc_bench_kernel", report.spec.print(), points.front().print(), report.isa}, /*readable=*/true);
  if (auto *why = std::get_if<std::string>(&result))
    return fail(*why);
  const auto &code = std::get<schedules::KernelArtifact>(result);
  const std::string comment = kind == "asm" ? "# " : kind == "llvm" ? "; " : "// ";
  llvm::outs() << comment << report.spec.print() << "\n"
               << comment << points.front().print() << "\n"
               << (kind == "asm"    ? code.assembly
                   : kind == "llvm" ? code.llvm
                                    : code.stmt);
  return 0;
}

const LoadedKernel &KernelBench::helper(const std::string &problem) {
  auto [entry, isNew] = helpers.try_emplace(problem);
  if (!isNew)
    return entry->second;
  auto spec = KernelSpec::parse(problem);
  auto schedule = schedules::chooseSchedule(std::get<KernelSpec>(spec), report.isa);
  if (auto *why = std::get_if<std::string>(&schedule))
    entry->second.error = *why;
  else
    entry->second = code->load({{problem, std::get<Schedule>(schedule).print()}}, report.isa, jobs).front();
  return entry->second;
}

/// Replaces the filters among a kernel's arguments by packed ones, which schedules that agree share.
bool KernelBench::pack(const Family &family, const Schedule &schedule,
                       std::vector<halide_buffer_t *> &arguments, std::string &failure) {
  const std::vector<KernelSpec> parts = schedules::weightParts(report.spec);
  for (size_t i = 0; i < tensors->filters.size(); ++i) {
    const schedules::Packing packing = family.packing(parts[i], schedule, report.isa);
    if (packing.problem.empty())
      continue;
    std::string key = std::to_string(i) + " " + packing.problem;
    for (int extent : packing.extents)
      key += " " + std::to_string(extent);
    halide_buffer_t *&argument = arguments[tensors->filters[i]];
    auto [entry, isNew] = packed.try_emplace(key);
    if (isNew) {
      const LoadedKernel &kernel = helper(packing.problem);
      failure = kernel.error;
      if (!failure.empty())
        return false;
      const bool isNarrow = std::get<KernelSpec>(KernelSpec::parse(packing.problem)).dtype == "bf16";
      entry->second = std::make_unique<BenchTensor>(isNarrow ? halide_type_t(halide_type_bfloat, 16)
                                                             : halide_type_t(halide_type_float, 32),
                                                    packing.extents);
      KernelThreads one(1, kernel.scratchBytes);
      if (int status = one.run(kernel.function, {argument, &entry->second->buffer})) {
        failure = "the kernel '" + packing.problem + "' returned error " + std::to_string(status);
        return false;
      }
    }
    argument = &entry->second->buffer;
  }
  return true;
}

Contestant KernelBench::contestant(const Schedule &schedule, const LoadedKernel &kernel,
                                   std::string &failure) {
  Contestant result;
  failure = kernel.error;
  if (!failure.empty())
    return result;
  scratchBytes = std::max(scratchBytes, kernel.scratchBytes);
  const Family &family = *schedules::findFamily(schedule.family);
  std::vector<halide_buffer_t *> arguments;
  for (BenchTensor *operand : tensors->operands)
    arguments.push_back(&operand->buffer);
  if (!pack(family, schedule, arguments, failure))
    return result;
  if (report.spec.op == "conv_wgrad") {
    const schedules::Packing packing = family.packing(report.spec, schedule, report.isa);
    if (packing.problem.empty()) {
      arguments.push_back(&tensors->results[0]->buffer);
      result.launches = {{kernel.function, arguments}};
      return result;
    }
    const LoadedKernel &unpack = helper(packing.problem);
    failure = unpack.error;
    if (!failure.empty())
      return result;
    scratchBytes = std::max(scratchBytes, unpack.scratchBytes);
    halide_buffer_t *sums = &gradients.emplace_back(packing.extents, *gradient).buffer;
    arguments.push_back(sums);
    result.launches = {{kernel.function, arguments}, {unpack.function, {sums, &tensors->results[0]->buffer}}};
    return result;
  }
  const std::array<int, 2> phases = schedules::storedPhases(report.spec, schedule);
  for (BenchTensor *each : tensors->results)
    arguments.push_back(phases[0] > 1 || phases[1] > 1 ? &phased.emplace_back(each->buffer, phases).buffer
                                                       : &each->buffer);
  result.launches = {{kernel.function, arguments}};
  return result;
}

std::string KernelBench::run(const Contestant &contestant, KernelThreads &threads) {
  for (const Contestant::Launch &launch : contestant.launches)
    if (int status = threads.run(launch.function, launch.arguments))
      return "the kernel returned error " + std::to_string(status);
  return "";
}

void KernelBench::reserveGradients() {
  const double memory = double(sysconf(_SC_PHYS_PAGES)) * double(sysconf(_SC_PAGESIZE));
  const double most = std::min(0x1p31, memory / 4 / sizeof(float));
  double largest = 1;
  auto isTooLarge = [&](const Schedule &point) {
    double elements = 1;
    for (int extent : schedules::findFamily(point.family)->packing(report.spec, point, report.isa).extents)
      elements *= extent;
    largest = elements < most ? std::max(largest, elements) : largest;
    return elements >= most;
  };
  const size_t before = points.size();
  points.erase(std::remove_if(points.begin(), points.end(), isTooLarge), points.end());
  if (points.size() < before)
    llvm::errs() << "note: " << before - points.size()
                 << " points are left out: their partial sums take more than a quarter of the memory\n";
  gradient = std::make_unique<BenchTensor>(halide_type_t(halide_type_float, 32),
                                           std::vector<int>{static_cast<int>(largest)});
}

bool KernelBench::prepare() {
  std::string error;
  code = KernelCode::create(error);
  if (!code)
    return fail(error), false;
  if (report.isSearch)
    llvm::errs() << llvm::format(
        "note: %zu of %.0f legal points are tried, each compiled unless the cache has "
        "it, then timed for %.1f s together with each number of threads\n",
        points.size(), report.legal, seconds);
  if (report.spec.op == "conv_wgrad")
    reserveGradients();
  if (points.empty())
    return fail("the partial sums of this schedule take more than a quarter of the memory"), false;
  std::vector<KernelCode::Job> all;
  for (const Schedule &point : points)
    all.push_back({report.spec.print(), point.print()});
  const std::vector<LoadedKernel> kernels = code->load(all, report.isa, jobs);
  const KernelJudge judge(report.spec, *tensors);
  report.compared = judge.compared();
  report.elements = judge.elements;
  for (size_t i = 0; i < points.size(); ++i) {
    KernelResult &result = results.emplace_back();
    result.schedule = points[i];
    result.isRule = points[i].print() == rule;
    contestants.push_back(contestant(points[i], kernels[i], result.failure));
    if (result.failure.empty()) {
      KernelThreads lanes(*std::max_element(threads.begin(), threads.end()), scratchBytes);
      if (!lanes.isReady())
        return fail("the system does not start that many threads: give -threads a smaller number"), false;
      judge.forget();
      result.failure = run(contestants.back(), lanes);
      result.error = result.failure.empty() ? judge.error() : 0;
      if (const double most = toleranceOf(report.spec.dtype); !(result.error <= most))
        result.failure =
            llvm::formatv("wrong results: the largest error is {0:e} of the maximum, above {1:e}",
                          result.error, most)
                .str();
    }
    if (!result.failure.empty())
      fail("'" + report.spec.print() + "', schedule '" + points[i].print() + "': " + result.failure);
  }
  return std::any_of(results.begin(), results.end(),
                     [](const KernelResult &result) { return result.failure.empty(); });
}

/// Contestants run in turn, each for a few ms; one that is far behind is left alone after its first turns.
/// Each pass has an order of its own: after one that had emptied the caches the same code took a third
/// longer.
KernelRun KernelBench::time(int count) {
  constexpr double kTurn = 2, kBehind = 1.5; // ms, times the best
  constexpr size_t kFirst = 3;               // runs
  KernelThreads lanes(count, scratchBytes);
  BenchRounds rounds(points.size(), seconds);
  std::vector<double> least(points.size(), std::numeric_limits<double>::infinity());
  double best = least[0];
  std::vector<size_t> order(points.size());
  std::iota(order.begin(), order.end(), 0);
  std::mt19937 random(1);
  size_t turn = points.size(), next = 0;
  auto isPassedOver = [&](size_t i) {
    return !results[i].failure.empty() ||
           (rounds.times[i].quiet.size() >= kFirst && least[i] > kBehind * best);
  };
  auto isDone = [&](size_t i) {
    const BenchTimes &times = rounds.times[i];
    return !results[i].failure.empty() || !times.quiet.empty() || !times.busy.empty();
  };
  size_t done = 0; // so many have a time
  do {
    rounds.begin();
    while (!rounds.isFull()) {
      do {
        if (turn == points.size()) {
          std::shuffle(order.begin(), order.end(), random);
          turn = 0;
        }
        next = order[turn++];
      } while (isPassedOver(next));
      const double until = clockNow() + kTurn;
      do {
        const double start = clockNow();
        run(contestants[next], lanes);
        const double time = clockNow() - start;
        rounds.add(next, time);
        least[next] = std::min(least[next], time);
        best = std::min(best, time);
      } while (clockNow() < until);
    }
    rounds.end();
    while (done < points.size() && isDone(done))
      ++done;
  } while (!rounds.isOver() || done < points.size());
  KernelRun result;
  result.threads = count;
  const double peak = report.flops > 0
                          ? measurePeak(count, productsOf(schedules::name(report.isa), report.spec.dtype))
                          : 0,
               memory = measureMemory(count, report.bytes);
  if (report.runs.empty()) // all numbers of threads by the same
    report.byBytes = report.flops == 0 || report.bytes / memory > report.flops / peak;
  result.rate = report.byBytes ? memory : peak;
  result.rounds = rounds.rounds;
  result.quietRounds = rounds.quietRounds;
  result.note = rounds.note();
  result.results = results;
  for (size_t i = 0; i < points.size(); ++i)
    result.results[i].milliseconds = rounds.times[i].counting();
  std::stable_sort(result.results.begin(), result.results.end(),
                   [](const KernelResult &a, const KernelResult &b) {
                     if (a.failure.empty() != b.failure.empty())
                       return a.failure.empty();
                     return a.failure.empty() && a.milliseconds.front() < b.milliseconds.front();
                   });
  return result;
}

void KernelBench::measure() {
  const std::string &op = report.spec.op;
  if (op == "conv" || op == "separable" || op == "conv_wgrad")
    report.flops = schedules::flops(report.spec, report.extents.n, report.extents.h, report.extents.w);
  report.bytes = tensors->bytes();
  for (int count : threads)
    report.runs.push_back(time(count));
}

} // namespace

int benchKernel(const ToolOptions &options) {
  KernelReport report;
  KernelBench bench(options, report);
  if (!options.positional().empty())
    return fail("-kernel times a problem, not the model '" + options.positional()[0] + "': give one of them");
  if (!bench.read())
    return 1;
  if (options.has(options::OPT_emit_eq))
    return bench.emit();
  if (!bench.prepare())
    return 1;
  bench.measure();
  print(report);
  if (options.has(options::OPT_json_eq))
    if (auto why = files::writeWhole(options.value(options::OPT_json_eq), toJson(report)))
      return fail(*why);
  for (const KernelResult &result : report.runs.front().results)
    if (!result.failure.empty())
      return 1;
  return 0;
}

} // namespace segc
