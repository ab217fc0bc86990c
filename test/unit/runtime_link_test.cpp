/// \file Two models linked into one program, one that could train: names apart, one pool.
// SPDX-License-Identifier: MIT
#include "alpha.h"
#include "beta.h"
#include "runtime_support.h"
#include <dirent.h>
#include <gtest/gtest.h>

namespace {

int threadsOfProcess() {
  int count = 0;
  DIR *dir = opendir("/proc/self/task");
  while (dirent *entry = readdir(dir))
    count += entry->d_name[0] != '.';
  closedir(dir);
  return count;
}

std::vector<uint64_t> emptyTable() {
  segc::test::TableBuilder t;
  const uint32_t one = t.constant(1);
  t.inputs.push_back({t.str("x"), segc::rt::DType::F32, 4, {one, one, one, one}});
  return t.build();
}
const std::vector<uint64_t> table = emptyTable();

} // namespace

extern "C" {
segc::rt::Variant alpha_variants[1] = {{reinterpret_cast<const segc::rt::Header *>(table.data()), nullptr}};
uint32_t alpha_variant_count = 1;
segc::rt::Variant beta_variants[1] = {{reinterpret_cast<const segc::rt::Header *>(table.data()), nullptr}};
uint32_t beta_variant_count = 1;
}

TEST(Link, TwoModelsShareOnePool) {
  const std::string weights = segc::test::WeightSet().block();
  alpha_model *a = nullptr;
  beta_model *b = nullptr;
  const int before = threadsOfProcess();
  ASSERT_EQ(alpha_create_from_memory(weights.data(), weights.size(), &a), ALPHA_OK) << alpha_last_error();
  ASSERT_EQ(alpha_set_threads(a, 7), ALPHA_OK);
  const int workers = threadsOfProcess() - before;
  EXPECT_GE(workers, 6);
  ASSERT_EQ(beta_create_from_memory(weights.data(), weights.size(), &b), BETA_OK) << beta_last_error();
  ASSERT_EQ(beta_set_threads(b, 7), BETA_OK);
  EXPECT_EQ(threadsOfProcess() - before, workers) << "the second model brings no workers of its own";
  alpha_destroy(a);
  EXPECT_EQ(threadsOfProcess() - before, workers);
  EXPECT_EQ(beta_step(b, nullptr, 0), BETA_UNSUPPORTED) << "its table only runs";
  beta_destroy(b);
  EXPECT_EQ(threadsOfProcess(), before);
}
