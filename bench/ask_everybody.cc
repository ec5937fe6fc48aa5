// What bench/memory.py asks with: a list for each of the users named on stdin, one a line, over kept connections.
// ask_everybody PORT CLIENTS: how many were answered with ten items by the model, lists/s, p50, p99 and most of the
// milliseconds.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <iostream>
#include <thread>
#include <vector>

#include "http_connection.h"

int main(int count, char** arguments) {
  using Clock = std::chrono::steady_clock;
  using namespace perennial::bench;
  if (count < 3) fail("ask_everybody PORT CLIENTS");
  std::vector<std::string> users;
  for (std::string name; std::getline(std::cin, name);) users.push_back(name);
  std::atomic<size_t> next = 0;
  std::vector<double> milliseconds(users.size());
  const auto began = Clock::now();
  std::vector<std::thread> threads;
  for (int client = 0; client < std::atoi(arguments[2]); ++client)
    threads.emplace_back([&] {
      Connection connection(static_cast<uint16_t>(std::atoi(arguments[1])));
      for (size_t i = next++; i < users.size(); i = next++) {
        const auto asked = Clock::now();
        const std::string list = connection.ask("GET /v1/recommend?user_id=" + users[i], "");
        milliseconds[i] = std::chrono::duration<double, std::milli>(Clock::now() - asked).count();
        size_t items = 0;
        for (size_t at = list.find(R"("item_id")"); at != std::string::npos; at = list.find(R"("item_id")", at + 1))
          ++items;
        if (items != 10 || list.find(R"("fallback":null)") == std::string::npos) fail(users[i] + " got " + list);
      }
    });
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - began).count();
  std::sort(milliseconds.begin(), milliseconds.end());
  const auto quantile = [&](double share) {
    return milliseconds[static_cast<size_t>(share * static_cast<double>(users.size() - 1))];
  };
  fmt::print("{} {:.0f} {:.3f} {:.3f} {:.3f}\n", users.size(), static_cast<double>(users.size()) / seconds,
             quantile(0.5), quantile(0.99), milliseconds.back());
}
