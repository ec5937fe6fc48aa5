// What bench/ingest.py asks with: clients that post events over kept connections, each a thread, and count what was
// acknowledged. ingest_load PORT CLIENTS SECONDS EVENTS-A-REQUEST [EVENTS-A-SECOND]
// With a rate the events come one by one at their times whatever the server does, and of every 20th it is asked
// whether the next answer knows it: the time is from when the event was due to that answer.
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "http_connection.h"

namespace {

using Clock = std::chrono::steady_clock;
using perennial::bench::Connection;
using perennial::bench::fail;

constexpr int kProbeEvery = 20;

std::string event(int client, int number, bool typed) {
  return fmt::format(
      R"({{{}"event":"Product Viewed","userId":"u{}","messageId":"{}-{}-{}","properties":{{"product_id":"i{}"}},"timestamp":"2026-01-01T00:00:00Z"}})",
      typed ? R"("type":"track",)" : "", (client * 7919 + number) % 20'000, ::getpid(), client, number,
      number * 31 % 3'000);
}

struct Told {
  int events = 0;
  std::vector<double> milliseconds;
};

void post_all(uint16_t port, int client, Clock::time_point end, int batch, Told& told) {
  Connection connection(port);
  while (Clock::now() < end) {
    const auto began = Clock::now();
    if (batch == 1) {
      connection.ask("POST /v1/track", event(client, told.events++, false));
    } else {
      std::string body = R"({"batch":[)";
      for (int i = 0; i < batch; ++i) {
        body += i > 0 ? "," : "";
        body += event(client, told.events++, true);
      }
      connection.ask("POST /v1/batch", body + "]}");
    }
    told.milliseconds.push_back(std::chrono::duration<double, std::milli>(Clock::now() - began).count());
  }
}

void post_at_rate(uint16_t port, int client, Clock::time_point begin, Clock::time_point end, Clock::duration step,
                  Told& told) {
  Connection connection(port);
  for (auto due = begin; due < end; due += step) {
    std::this_thread::sleep_until(due);
    const int number = told.events++;
    if (number % kProbeEvery != 0) {
      connection.ask("POST /v1/track", event(client, number, false));
      continue;
    }
    const std::string user = fmt::format("probe-{}-{}-{}", ::getpid(), client, number);
    connection.ask("POST /v1/track",
                   fmt::format(R"({{"event":"Product Viewed","userId":"{}","properties":{{"product_id":"i{}"}}}})",
                               user, number * 31 % 3'000));
    const std::string answer = connection.ask("GET /v1/users/" + user, "");
    if (answer.find(R"("history_size":1)") == std::string::npos)
      fail("an acknowledged event is not in the next answer: " + answer);
    told.milliseconds.push_back(std::chrono::duration<double, std::milli>(Clock::now() - due).count());
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 5) fail("ingest_load PORT CLIENTS SECONDS EVENTS-A-REQUEST [EVENTS-A-SECOND]");
  const auto number = [&](int i) { return std::atoi(arguments[i]); };
  const auto port = static_cast<uint16_t>(number(1));
  const int clients = number(2);
  const auto begin = Clock::now();
  const auto end = begin + std::chrono::seconds(number(3));
  std::vector<Told> told(static_cast<size_t>(clients));
  std::vector<std::thread> threads;
  for (int client = 0; client < clients; ++client) {
    Told& mine = told[static_cast<size_t>(client)];
    if (count == 5) {
      threads.emplace_back([&, client] { post_all(port, client, end, number(4), mine); });
      continue;
    }
    const auto step = std::chrono::nanoseconds(1'000'000'000LL * clients / number(5));
    threads.emplace_back(
        [&, client, step] { post_at_rate(port, client, begin + step * client / clients, end, step, mine); });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  std::vector<double> all;
  int events = 0;
  for (const Told& each : told) {
    events += each.events;
    all.insert(all.end(), each.milliseconds.begin(), each.milliseconds.end());
  }
  std::sort(all.begin(), all.end());
  const auto quantile = [&](double share) {
    return all[static_cast<size_t>(share * static_cast<double>(all.size() - 1))];
  };
  fmt::print("{} {:.0f} {:.3f} {:.3f} {:.3f}\n", events, events / seconds, quantile(0.5), quantile(0.99), all.back());
}
