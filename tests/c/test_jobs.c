/* How many parts travel at once: `jobs` is honoured between 1 and 256, and clamped to them.
 *
 * emulator options: --part-size 65536
 */
#include "operations.h"
#include "support.h"

#include <stdlib.h>

enum { PART = 64 << 10, PARTS = 300 };

/* The service keeps every part waiting until `expected` of them have come: fewer at once would be
 * found out by its time limit, more by its count. */
static void exactly(int32_t jobs, int expected)
{
    fake_service *fake = fake_start();
    us3_client *client = fake_client(fake);
    us3_result result = US3_RESULT_INIT;
    char *file = test_file(format("jobs-%d", (int)jobs), (size_t)PARTS * PART, 1);

    fake_hold_parts(fake, expected);
    CHECK_STATUS(US3_OK, us3_async_upload_with_policy(client, file, "k", NULL, jobs, NULL, &result), &result);
    CHECK(!fake_seen(fake).waited_in_vain);
    CHECK_INT(expected, fake_seen(fake).most_parts);
    CHECK_INT(PARTS, fake_count(fake, FAKE_PART));
    /* A connection is reused: there are never more than jobs. The library gives one up that is not ready for the
     * next request within 100 ms, which happens under memcheck. */
    CHECK(check_slow() || fake_seen(fake).connections <= expected);
    us3_result_clear(&result);
    us3_client_free(client);
    fake_stop(fake);
}

static void jobs_0_is_1(void) { exactly(0, 1); }
static void jobs_minus_5_is_1(void) { exactly(-5, 1); }
static void jobs_1_is_1(void) { exactly(1, 1); }
static void jobs_20_is_20(void) { exactly(20, 20); }
static void jobs_256_is_256(void) { exactly(256, 256); }
static void jobs_1000_is_256(void) { exactly(1000, 256); }

/* The named operations: one part at a time, and ten. */
static void named_operation(int op, int expected)
{
    fake_service *fake = fake_start();
    us3_client *client = fake_client(fake);
    us3_result result = US3_RESULT_INIT;
    char *file = test_file("named", (size_t)30 * PART, 1);

    fake_hold_parts(fake, expected);
    CHECK_STATUS(US3_OK, operations[op].run(client, file, "k", NULL, &result), &result);
    CHECK(!fake_seen(fake).waited_in_vain);
    CHECK_INT(expected, fake_seen(fake).most_parts);
    us3_result_clear(&result);
    us3_client_free(client);
    fake_stop(fake);
}

static void mput_sends_one_part_at_a_time(void) { named_operation(MPUT, 1); }
static void async_mput_sends_ten(void) { named_operation(ASYNC_MPUT, 10); }

/* The same as the emulator sees it, with the content compared. */
static void the_emulator_s_count(void)
{
    static const struct {
        int32_t jobs;
        int limit;
    } cases[] = {{0, 1}, {-5, 1}, {1, 1}, {20, 20}, {256, 256}, {1000, 256}};
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;
    char *file = test_file("counted", (size_t)PARTS * PART - 1, 1);
    unsigned char *bytes = test_bytes((size_t)PARTS * PART - 1, 1);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        emulator_reset();
        CHECK_STATUS(US3_OK, us3_async_upload_with_policy(client, file, "counted", NULL, cases[i].jobs, NULL, &result), &result);
        CHECK_STORED("counted", bytes, (size_t)PARTS * PART - 1);
        CHECK(emulator_number("max_parts_in_flight") >= 1);
        CHECK(emulator_number("max_parts_in_flight") <= cases[i].limit);
        CHECK_INT(PARTS, requests_seen("part"));
    }
    us3_result_clear(&result);
    us3_client_free(client);
}

int main(void)
{
    RUN(jobs_0_is_1);
    RUN(jobs_minus_5_is_1);
    RUN(jobs_1_is_1);
    RUN(jobs_20_is_20);
    RUN(jobs_256_is_256);
    RUN(jobs_1000_is_256);
    RUN(mput_sends_one_part_at_a_time);
    RUN(async_mput_sends_ten);
    RUN(the_emulator_s_count);
    return check_done();
}
