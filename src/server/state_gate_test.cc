#include "server/state_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

namespace perennial {
namespace {

TEST(StateGate, WriterEntersThoughReadersNeverCease) {
  StateGate gate;
  std::atomic<bool> written{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      auto held = gate.read();
      while (!written) {
        held.unlock();
        held = gate.read();
      }
    });
  }
  {
    const auto lock = gate.write();
    written = true;
  }
  for (std::thread& reader : readers) reader.join();
}

TEST(StateGate, WriterEntersThoughLongReadersNeverCease) {
  StateGate gate;
  std::atomic<bool> written{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!written) const auto held = gate.long_read();
    });
  }
  {
    const auto lock = gate.write();
    written = true;
  }
  for (std::thread& reader : readers) reader.join();
}

TEST(StateGate, ReadersGoOnDuringALongRead) {
  StateGate gate;
  const auto held = gate.long_read();
  std::thread([&] { const auto lock = gate.read(); }).join();
}

TEST(StateGate, WriterIsAlone) {
  StateGate gate;
  int64_t first = 0;
  int64_t second = 0;
  std::atomic<bool> done{false};
  std::atomic<int> torn{0};
  std::vector<std::thread> readers;
  for (const bool is_long : {false, true}) {
    readers.emplace_back([&, is_long] {
      while (!done) {
        if (is_long) {
          const auto lock = gate.long_read();
          torn += first != second;
        } else {
          const auto lock = gate.read();
          torn += first != second;
        }
      }
    });
  }
  for (int i = 0; i < 2000; ++i) {
    const auto lock = gate.write();
    ++first;
    ++second;
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(torn, 0);
}

}  // namespace
}  // namespace perennial
