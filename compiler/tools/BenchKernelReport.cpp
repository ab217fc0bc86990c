/// \file What a person and a program read about kernels.
// SPDX-License-Identifier: MIT
#include "compiler/tools/BenchKernel.h"
#include "compiler/tools/BenchRounds.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

namespace segc {
namespace {

void printOne(const KernelReport &report, const KernelRun &run) {
  const KernelResult &result = run.results.front();
  const double least = result.milliseconds.front(), rate = report.rate(least);
  llvm::outs() << llvm::format(
      "%d thread%s: least %.4f ms, median %.4f, of %zu runs; %.1f %s, %.0f %% of the %s of %.1f\n",
      run.threads, run.threads == 1 ? "" : "s", least, percentile(result.milliseconds, 0.5),
      result.milliseconds.size(), rate, report.unit(), 100 * rate / run.rate,
      report.byBytes ? "memory rate" : "peak", run.rate);
}

void printTable(const KernelReport &report, const KernelRun &run) {
  llvm::raw_ostream &out = llvm::outs();
  out << llvm::format("\n least ms    median  %7s  of %s    error  schedule (%d thread%s, %s %.1f %s)\n",
                      report.unit(), report.byBytes ? "rate" : "peak", run.threads,
                      run.threads == 1 ? "" : "s", report.byBytes ? "memory rate" : "peak", run.rate,
                      report.unit());
  for (const KernelResult &result : run.results) {
    if (!result.failure.empty())
      continue;
    const double least = result.milliseconds.front(), rate = report.rate(least);
    out << llvm::format("%9.4f %9.4f  %7.1f    %3.0f %%  %.1e  ", least, percentile(result.milliseconds, 0.5),
                        rate, 100 * rate / run.rate, result.error)
        << result.schedule.print() << (result.isRule ? "  <- rule" : "") << "\n";
  }
  const KernelResult *rule = run.rule();
  if (rule && rule->failure.empty()) {
    const double over = rule->milliseconds.front() / run.results.front().milliseconds.front() - 1;
    out << llvm::format("the rule's choice takes %.1f %% longer than the best of %zu points", 100 * over,
                        run.results.size());
    out << llvm::format(" (%.0f are legal)\n", report.legal);
  }
}

} // namespace

const KernelResult *KernelRun::rule() const {
  for (const KernelResult &result : results)
    if (result.isRule)
      return &result;
  return nullptr;
}

void print(const KernelReport &report) {
  llvm::raw_ostream &out = llvm::outs();
  out << report.spec.print() << "\n" << schedules::name(report.isa) << ", result " << report.extents.print();
  const KernelResult &first = report.runs.front().results.front();
  if (!report.isSearch)
    out << ", " << first.schedule.print() << (first.isRule ? " (the rule's choice)" : "");
  out << "\n";
  if (!report.isSearch)
    out << llvm::format("largest error %.1e of the maximum, ", first.error);
  out << "compared with a plain loop: "
      << (report.compared < report.elements
              ? std::to_string(report.compared) + " of " + std::to_string(report.elements) + " elements"
              : "all " + std::to_string(report.elements) + " elements")
      << "\n";
  for (const KernelRun &run : report.runs) {
    (report.isSearch ? printTable : printOne)(report, run);
    if (!run.note.empty())
      out.flush(), llvm::errs() << "note: " << run.note << "\n";
  }
}

std::string toJson(const KernelReport &report) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  llvm::json::OStream json(stream, 2);
  json.object([&] {
    json.attribute("format", "segc-bench-kernel/1");
    json.attribute("problem", report.spec.print());
    json.attribute("isa", schedules::name(report.isa));
    json.attribute("extents", report.extents.print());
    json.attribute("unit", report.unit());
    json.attribute("legal_points", report.legal);
    json.attribute("elements", report.elements);
    json.attribute("elements_compared", report.compared);
    json.attributeArray("results", [&] {
      for (const KernelRun &run : report.runs)
        json.object([&] {
          json.attribute("threads", run.threads);
          json.attribute("machine_rate", run.rate);
          json.attribute("rounds", run.rounds);
          json.attribute("quiet_rounds", run.quietRounds);
          json.attributeArray("points", [&] {
            for (const KernelResult &result : run.results)
              json.object([&] {
                json.attribute("schedule", result.schedule.print());
                json.attribute("rule", result.isRule);
                if (!result.failure.empty()) {
                  json.attribute("failure", result.failure);
                  return;
                }
                json.attribute("error", result.error);
                json.attribute("runs", static_cast<int64_t>(result.milliseconds.size()));
                json.attribute("min_ms", result.milliseconds.front());
                json.attribute("median_ms", percentile(result.milliseconds, 0.5));
                json.attribute("rate", report.rate(result.milliseconds.front()));
                json.attribute("share", report.rate(result.milliseconds.front()) / run.rate);
              });
          });
        });
    });
  });
  stream << "\n";
  return text;
}

} // namespace segc
