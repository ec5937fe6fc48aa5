// perennial simulate: a shop's events with a known truth, as files to import.
#include "cli/command_line.h"
#include "simulator/shop.h"

namespace perennial {

void add_simulate_command(CLI::App& app, CommandLine& line) {
  const auto options = std::make_shared<ShopOptions>();
  const auto folder = std::make_shared<std::string>();
  const auto given = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("simulate", "Write the events of a simulated shop, and the truth behind them");
  command->footer(
      "Example:\n  perennial simulate shop --users 5000 --months 12\n  perennial import --data data shop/items.jsonl "
      "shop/events-*.jsonl\n\nThe same options give the same bytes. truth.jsonl says what no event does: each "
      "visitor's "
      "taste, habits\nand when they were won, drifted and left. It is not imported.");
  command->add_option("folder", *folder, "where the files go")->required();
  command->add_option("--users", options->users, "visitors")->capture_default_str();
  command->add_option("--items", options->items, "products")->capture_default_str();
  command->add_option("--months", options->months, "months of events")->capture_default_str();
  command->add_option("--seed", options->seed, "of all that is drawn")->capture_default_str();
  command->add_option("--start", options->start, "first day of the first month")->capture_default_str();
  command->add_flag("--campaigns", options->campaigns,
                    "every two weeks an action is drawn for each who has signed up; truth.jsonl has its effects");
  command->add_option("--campaign-months", options->campaign_months, "campaigns in the first so many months only");
  command->add_option("--given", *given,
                      "actions given after them: lines of user_id, action and decided_at, as the server exports them; "
                      "visitors react");
  command->callback([&line, options, folder, given] {
    line.action = [options, folder, given]() -> Status {
      if (!given->empty()) {
        PERENNIAL_TRY_ASSIGN(options->given, read_given_actions(*given));
      }
      PERENNIAL_TRY(write_shop(*options, *folder));
      fmt::print("{} visitors over {} months are in {}: items.jsonl, events-*.jsonl, truth.jsonl\n", options->users,
                 options->months, *folder);
      return {};
    };
  });
}

}  // namespace perennial
