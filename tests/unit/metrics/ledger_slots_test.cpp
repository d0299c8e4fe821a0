#include "metrics/ledger_slots.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "metrics/recovery.hpp"
#include "testing.hpp"

namespace tollgate {
namespace {

namespace fs = std::filesystem;

class LedgerSlotsTest : public ::testing::Test {
 protected:
  std::unique_ptr<LedgerSlots> create(std::uint32_t count, unsigned reactor = 0) {
    auto slots = LedgerSlots::create(ledger_, reactor, count);
    EXPECT_TRUE(slots.has_value()) << (slots ? "" : slots.error().message);
    return std::move(slots).value();
  }
  static LedgerSlot& open(LedgerSlots& slots, std::int64_t id) {
    LedgerSlot* const slot = slots.take();
    slot->request.row = RequestRow{};
    slot->request.row.id = RequestId{id};
    slot->request.row.arrived_us = 1'000;
    slot->state.store(SlotState::open);
    return *slot;
  }
  static void add_attempt(LedgerSlot& slot, Usd charge) {
    RequestRow& row = slot.request.row;
    AttemptRow& attempt = slot.request.attempts[row.attempts];
    attempt = AttemptRow{};
    attempt.number = static_cast<std::uint8_t>(++row.attempts);
    attempt.charge[ChargeKind::input] = charge;
    attempt.ended = true;
    attempt.ended_us = 2'000;
    slot.attempt_checks[attempt.number - 1U] = check_of(attempt, row.id);
  }
  std::vector<SlotFile> read() {
    auto files = read_slot_files(ledger_);
    EXPECT_TRUE(files.has_value()) << (files ? "" : files.error().message);
    return files ? std::move(files).value() : std::vector<SlotFile>{};
  }
  /// Overwrites bytes of reactor 0's file.
  void damage(std::streamoff offset, const std::string& bytes) {
    std::fstream file(slot_file_path(ledger_, 0), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(offset);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  static std::streamoff offset_of(std::size_t slot, std::size_t in_slot = 0) {
    return static_cast<std::streamoff>(slot_header_bytes + slot * sizeof(LedgerSlot) + in_slot);
  }

  testing::Folder folder_;
  std::string ledger_ = folder_.file("books.db");
};

TEST_F(LedgerSlotsTest, HandsOutEachSlotOnceAndThenNone) {
  const auto slots = create(3);
  std::set<LedgerSlot*> taken;
  for (int i = 0; i < 3; ++i) taken.insert(slots->take());
  EXPECT_EQ(taken.size(), 3U);
  EXPECT_EQ(slots->take(), nullptr);
}

TEST_F(LedgerSlotsTest, ASlotComesBackOnlyAfterItsCommit) {
  const auto slots = create(1);
  LedgerSlot& slot = open(*slots, 1);
  slots->settle(slot);
  EXPECT_EQ(slots->take(), nullptr);
  EXPECT_EQ(slots->next_settled(), &slot);
  EXPECT_EQ(slots->next_settled(), nullptr);
  slots->give_back(slot);
  EXPECT_EQ(slots->take(), &slot);
}

TEST_F(LedgerSlotsTest, TheSlotGivenBackLastIsTakenFirst) {
  const auto slots = create(100);
  LedgerSlot& first = open(*slots, 1);
  LedgerSlot& second = open(*slots, 2);
  slots->settle(first);
  slots->settle(second);
  slots->give_back(*slots->next_settled());
  slots->give_back(*slots->next_settled());
  EXPECT_EQ(slots->take(), &second);
  EXPECT_EQ(slots->take(), &first);
}

TEST_F(LedgerSlotsTest, DiskSpaceIsReservedAtStart) {
  const auto slots = create(1000);
  struct stat facts {};
  ASSERT_EQ(::stat(slot_file_path(ledger_, 0).c_str(), &facts), 0);
  EXPECT_GE(facts.st_blocks * 512, 1000 * 1024);
}

TEST_F(LedgerSlotsTest, TheFileGoesWhenEverySlotIsFree) {
  const auto slots = create(2);
  LedgerSlot& slot = open(*slots, 1);
  EXPECT_FALSE(slots->remove_if_empty());
  slots->settle(slot);
  EXPECT_FALSE(slots->remove_if_empty());
  slots->give_back(*slots->next_settled());
  EXPECT_TRUE(slots->remove_if_empty());
  EXPECT_FALSE(fs::exists(slot_file_path(ledger_, 0)));
}

TEST_F(LedgerSlotsTest, AFolderThatIsNotThereIsAClearError) {
  const auto slots = LedgerSlots::create(folder_.file("nowhere/books.db"), 0, 4);
  ASSERT_FALSE(slots.has_value());
  EXPECT_NE(slots.error().message.find("nowhere"), std::string::npos);
}

TEST_F(LedgerSlotsTest, SettledSlotsAreReadAsTheyWere) {
  const auto slots = create(8);
  LedgerSlot& slot = open(*slots, 77);
  add_attempt(slot, Usd{5});
  add_attempt(slot, Usd{6});
  slots->settle(slot);
  auto files = read();
  const Leftovers leftovers = settle_leftovers(files);
  ASSERT_EQ(leftovers.rows.size(), 1U);
  EXPECT_EQ(leftovers.settled, 1U);
  EXPECT_EQ(leftovers.rows[0].row.id, RequestId{77});
  EXPECT_FALSE(leftovers.rows[0].row.recovered);
  EXPECT_EQ(leftovers.rows[0].total(), Usd{11});
}

TEST_F(LedgerSlotsTest, OpenSlotsAreSettledAsInternalAndMarked) {
  const auto slots = create(8);
  add_attempt(open(*slots, 5), Usd{9});
  auto files = read();
  const Leftovers leftovers = settle_leftovers(files);
  ASSERT_EQ(leftovers.open, 1U);
  EXPECT_TRUE(leftovers.rows[0].row.recovered);
  EXPECT_EQ(leftovers.rows[0].row.result.name(), "internal");
  EXPECT_EQ(leftovers.rows[0].row.ended_us, 2'000);
  EXPECT_EQ(leftovers.rows[0].total(), Usd{9});
}

TEST_F(LedgerSlotsTest, EveryReactorsFileIsRead) {
  const auto first = create(4, 0);
  const auto twelfth = create(2, 12);
  open(*first, 1);
  open(*twelfth, 2);
  std::ofstream(folder_.file("books.db.x.slots")) << "not one of ours";
  std::ofstream(folder_.file("other.db.0.slots")) << "another ledger's";
  auto files = read();
  EXPECT_EQ(files.size(), 2U);
  EXPECT_EQ(settle_leftovers(files).open, 2U);
}

TEST_F(LedgerSlotsTest, ADamagedSettledSlotIsNeverASum) {
  const auto slots = create(2);
  for (int id = 1; id <= 2; ++id) {
    LedgerSlot& slot = open(*slots, id);
    add_attempt(slot, Usd{1'000});
    slots->settle(slot);
  }
  damage(offset_of(0, offsetof(OpenRequest, attempts) + offsetof(AttemptRow, charge)), "\x7F");
  auto files = read();
  const Leftovers leftovers = settle_leftovers(files);
  EXPECT_EQ(leftovers.damaged, 1U);
  ASSERT_EQ(leftovers.rows.size(), 1U);
  EXPECT_EQ(leftovers.rows[0].row.id, RequestId{2});
  const auto kept = remove_slot_files(files);
  ASSERT_TRUE(kept.has_value());
  ASSERT_EQ(kept.value().size(), 1U);
  EXPECT_TRUE(fs::exists(kept.value()[0]));
  EXPECT_FALSE(fs::exists(slot_file_path(ledger_, 0)));
}

TEST_F(LedgerSlotsTest, NoSingleByteOfASettledSlotChangesUnnoticed) {
  const auto slots = create(1);
  LedgerSlot& slot = open(*slots, 9);
  add_attempt(slot, Usd{123'456});
  slots->settle(slot);
  constexpr std::size_t covered = offsetof(OpenRequest, attempts) + sizeof(AttemptRow);
  for (std::size_t at = 0; at < covered; ++at) {
    auto* const bytes = reinterpret_cast<unsigned char*>(&slot);
    bytes[at] ^= 0x10;
    auto files = read();
    EXPECT_EQ(settle_leftovers(files).rows.size(), 0U) << "byte " << at;
    bytes[at] ^= 0x10;
  }
}

TEST_F(LedgerSlotsTest, OfATruncatedFileTheWholeSlotsAreTaken) {
  const auto slots = create(4);
  for (int id = 1; id <= 4; ++id) slots->settle(open(*slots, id));
  fs::copy_file(slot_file_path(ledger_, 0), folder_.file("books.db.7.slots"));
  fs::remove(slot_file_path(ledger_, 0));
  fs::resize_file(folder_.file("books.db.7.slots"), slot_header_bytes + 2 * sizeof(LedgerSlot) + 500);
  auto files = read();
  const Leftovers leftovers = settle_leftovers(files);
  EXPECT_EQ(leftovers.settled, 2U);
  EXPECT_EQ(leftovers.damaged, 2U);
}

TEST_F(LedgerSlotsTest, AFileWithADamagedHeaderIsSetAside) {
  create(2);
  damage(0, "garbage!");
  auto files = read();
  const Leftovers leftovers = settle_leftovers(files);
  EXPECT_EQ(leftovers.damaged, 1U);
  EXPECT_EQ(remove_slot_files(files).value().size(), 1U);
}

TEST_F(LedgerSlotsTest, AnotherVersionsFileIsRefusedWithWhatToDo) {
  create(2);
  SlotFileHeader header;
  header.layout = slot_layout() + 1;
  header.slots = 2;
  header.check = header.expected_check();
  damage(0, std::string(reinterpret_cast<const char*>(&header), sizeof header));
  const auto files = read_slot_files(ledger_);
  ASSERT_FALSE(files.has_value());
  EXPECT_NE(files.error().message.find("another version"), std::string::npos);
  EXPECT_NE(files.error().message.find("books.db.0.slots"), std::string::npos);
}

TEST_F(LedgerSlotsTest, ANameThatNoRunCanHaveKnownIsDamage) {
  const auto slots = create(2);
  LedgerSlot& slot = open(*slots, 1);
  slot.request.row.team = NameId{Names::names_max};
  auto files = read();
  EXPECT_EQ(settle_leftovers(files).damaged, 1U);
}

}  // namespace
}  // namespace tollgate
