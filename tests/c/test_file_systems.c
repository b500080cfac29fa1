/* Files that are rewritten with their old time, sizes that are not true, and file systems on which a checkpoint
 * cannot be written as usual.
 *
 * The functions of the C library that are defined here are called by libus3.so too: the loader finds those of the
 * program first. A full and a read-only file system are real ones, in a mount namespace of the test's own.
 *
 * The first part 1 fails, until the emulator is reset.
 * emulator options: --rule {"call":"part","part":1,"nth":1,"fault":{"answer":{"status":400}}}
 */
#define _GNU_SOURCE

#include "operations.h"
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PARTS = 3, PART_MIB = 4, NOBODY = 65534 };

/* ---- the C library, which fails --------------------------------------------------------------- */

static int folders_refuse_to_sync, files_refuse_to_sync; /* the errno, or 0 */

int fsync(int fd)
{
    struct stat about;
    int refused = 0;

    if (fstat(fd, &about) == 0)
        refused = S_ISDIR(about.st_mode) ? folders_refuse_to_sync : files_refuse_to_sync;
    if (refused != 0) {
        errno = refused;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

/* A file of true_size bytes says that it has told_size. Before the library looks at it the third time, which is
 * when the last bytes of a request were read, this happens to it, and before each later look if it happens always. */
static uint64_t true_size, told_size;
static int looks; /* so far */
static void (*before_the_third_look)(void);
static bool happens_always;
/* Another thread of the library does not look meanwhile, when a time is not yet set back. */
static pthread_mutex_t while_it_happens = PTHREAD_MUTEX_INITIALIZER;

/* What the file then tells of its last change, whatever happens to it: its file system's clock does not tick. */
static struct statx_timestamp standing_clock;

int statx(int folder, const char *restrict path, int flags, unsigned mask, struct statx *restrict about)
{
    int result = (int)syscall(SYS_statx, folder, path, flags, mask, about);

    if (result != 0 || true_size == 0 || about->stx_size != true_size)
        return result;
    if (before_the_third_look != NULL && (flags & AT_EMPTY_PATH) != 0) {
        int before = __atomic_fetch_add(&looks, 1, __ATOMIC_ACQ_REL);

        pthread_mutex_lock(&while_it_happens);
        if (before == 2 || (before > 2 && happens_always))
            before_the_third_look();
        result = (int)syscall(SYS_statx, folder, path, flags, mask, about);
        pthread_mutex_unlock(&while_it_happens);
    }
    about->stx_size = told_size;
    if (standing_clock.tv_sec != 0)
        about->stx_ctime = about->stx_mtime = standing_clock;
    return result;
}

/* ---- a file system of the test's own ---------------------------------------------------------- */

static bool write_text(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

    if (fd >= 0)
        close(fd);
    return written;
}

/* Root may mount; anybody may within a user namespace, where the system allows that. */
static bool may_mount(void)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();

    if (uid != 0 &&
        (unshare(CLONE_NEWUSER) != 0 || !write_text("/proc/self/setgroups", "deny") ||
         !write_text("/proc/self/gid_map", format("0 %d 1", (int)gid)) ||
         !write_text("/proc/self/uid_map", format("0 %d 1", (int)uid))))
        return false;
    return unshare(CLONE_NEWNS) == 0 && mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0;
}

/* A folder that is a small file system; NULL, and said, where that cannot be made. */
static const char *small_disk(void)
{
    char *path = test_path("disk");

    REQUIRE(mkdir(path, 0700) == 0 || errno == EEXIST);
    if (may_mount() && mount("none", path, "tmpfs", 0, "size=64k,mode=0700") == 0)
        return path;
    check_missing("a checkpoint on a full disk and in a read-only folder", "this system lets the test mount nothing");
    return NULL;
}

static void fill(const char *disk)
{
    static const char page[4096];
    int fd = open(format("%s/filler", disk), O_WRONLY | O_CREAT, 0600);

    REQUIRE(fd >= 0);
    while (write(fd, page, sizeof page) > 0)
        ;
    REQUIRE(errno == ENOSPC);
    close(fd);
}

static bool exists(const char *path)
{
    struct stat about;

    return lstat(path, &about) == 0;
}

/* ---- uploads with a checkpoint ---------------------------------------------------------------- */

static us3_upload_request resumable(const char *checkpoint)
{
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;

    request.file_path = test_path("content");
    if (!exists(request.file_path))
        test_file("content", PARTS * PART_MIB * MIB, 1);
    request.key = "k";
    request.mode = US3_MODE_MPUT;
    request.jobs = 1;
    request.resume_path = checkpoint;
    return request;
}

static us3_status upload(us3_client *client, const char *checkpoint, us3_result *result)
{
    us3_upload_request request = resumable(checkpoint);

    return us3_upload(client, &request, result);
}

static void check_nothing_left(const char *checkpoint)
{
    CHECK(!exists(checkpoint));
    CHECK(!exists(format("%s.us3-tmp", checkpoint)));
    CHECK_INT(0, pending_uploads());
}

static void a_full_disk_ends_the_upload_and_leaves_nothing(void)
{
    us3_client *client;
    us3_result result = US3_RESULT_INIT;
    const char *disk = small_disk();
    char *checkpoint = format("%s/checkpoint", disk);

    if (disk == NULL)
        return;
    emulator_reset();
    client = emulator_client();
    fill(disk);
    CHECK_STATUS(US3_FILE_ERROR, upload(client, checkpoint, &result), &result);
    CHECK_INT(ENOSPC, result.os_error);
    CHECK_HAS(result.err_msg, checkpoint);
    CHECK_INT(US3_OBJECT_NOT_STORED, result.object_state);
    check_nothing_left(checkpoint);
    us3_result_clear(&result);
    us3_client_free(client);
}

static void a_disk_that_is_full_later_keeps_the_upload(void)
{
    us3_client *client;
    us3_result result = US3_RESULT_INIT;
    const char *disk = small_disk();
    char *checkpoint = format("%s/checkpoint", disk);

    if (disk == NULL)
        return;
    client = emulator_client();
    CHECK_STATUS(US3_SERVICE_ERROR, upload(client, checkpoint, &result), &result);
    fill(disk);
    CHECK_STATUS(US3_FILE_ERROR, upload(client, checkpoint, &result), &result);
    CHECK_INT(ENOSPC, result.os_error);
    CHECK(result.upload_id != NULL);
    CHECK(exists(checkpoint));
    CHECK(!exists(format("%s.us3-tmp", checkpoint)));
    CHECK_INT(1, pending_uploads());

    REQUIRE(unlink(format("%s/filler", disk)) == 0);
    CHECK_STATUS(US3_OK, upload(client, checkpoint, &result), &result);
    CHECK_INT(1, result.parts_resumed);
    CHECK_STORED("k", test_bytes(PARTS * PART_MIB * MIB, 1), PARTS * PART_MIB * MIB);
    check_nothing_left(checkpoint);
    us3_result_clear(&result);
    us3_client_free(client);
}

static void a_read_only_folder_is_refused_before_anything_is_sent(void)
{
    us3_client *client;
    us3_result result = US3_RESULT_INIT;
    const char *disk = small_disk();
    char *checkpoint = format("%s/checkpoint", disk);

    if (disk == NULL)
        return;
    emulator_reset();
    client = emulator_client();
    REQUIRE(mount("none", disk, "none", MS_REMOUNT | MS_RDONLY, NULL) == 0);
    CHECK_STATUS(US3_FILE_ERROR, upload(client, checkpoint, &result), &result);
    CHECK_INT(EROFS, result.os_error);
    CHECK_HAS(result.err_msg, checkpoint);
    CHECK_INT(0, emulator_count("requests", "\"sequence\":"));
    us3_result_clear(&result);
    us3_client_free(client);
}

static void a_folder_that_cannot_be_synced_is_a_note(void)
{
    static const struct {
        int folders, files;
    } refusals[] = {{EINVAL, 0}, {EIO, 0}, {EINVAL, EINVAL}};
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;
    char *checkpoint = test_path("checkpoint");

    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        emulator_reset();
        folders_refuse_to_sync = refusals[i].folders;
        files_refuse_to_sync = refusals[i].files;
        CHECK_STATUS(US3_OK, upload(client, checkpoint, &result), &result);
        CHECK_HAS(result.note, "power failure");
        CHECK_HAS(result.note, checkpoint);
        CHECK_STORED("k", test_bytes(PARTS * PART_MIB * MIB, 1), PARTS * PART_MIB * MIB);
        check_nothing_left(checkpoint);
    }
    us3_result_clear(&result);
    us3_client_free(client);
}

/* The disk itself fails: what was written may not be there. */
static void a_checkpoint_that_does_not_reach_the_disk_ends_the_upload(void)
{
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;
    char *checkpoint = test_path("checkpoint");

    emulator_reset();
    files_refuse_to_sync = EIO;
    CHECK_STATUS(US3_FILE_ERROR, upload(client, checkpoint, &result), &result);
    CHECK_INT(EIO, result.os_error);
    check_nothing_left(checkpoint);
    us3_result_clear(&result);
    us3_client_free(client);
}

/* ---- what other users put there --------------------------------------------------------------- */

static bool can_give_files_away(const char *what)
{
    if (geteuid() != 0)
        check_missing(what, "only root can make files of another user");
    return geteuid() == 0;
}

/* A path in a folder like /tmp. */
static char *checkpoint_in_a_shared_folder(void)
{
    char *folder = test_path("shared");

    REQUIRE(mkdir(folder, 0700) == 0 || errno == EEXIST);
    REQUIRE(chmod(folder, 01777) == 0);
    return format("%s/checkpoint", folder);
}

static void refused_as_of_another_user(const char *checkpoint, const char *what)
{
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;

    emulator_reset();
    CHECK_STATUS(US3_FILE_ERROR, upload(client, checkpoint, &result), &result);
    CHECK_HAS(result.err_msg, what);
    CHECK_HAS(result.err_msg, "of another user (uid 65534)");
    CHECK_INT(0, emulator_count("requests", "\"sequence\":"));
    us3_result_clear(&result);
    us3_client_free(client);
}

static void a_link_of_another_user_in_a_shared_folder_is_not_followed(void)
{
    char *checkpoint = checkpoint_in_a_shared_folder();
    char *mine = test_text_file("mine", "precious");
    char *absent = test_path("absent");

    if (!can_give_files_away("a link of another user as a checkpoint"))
        return;
    REQUIRE(symlink(mine, checkpoint) == 0 && lchown(checkpoint, NOBODY, NOBODY) == 0);
    refused_as_of_another_user(checkpoint, "a symbolic link");
    CHECK_STR("precious", read_text(mine));
    CHECK(!exists(format("%s.damaged", mine)));

    REQUIRE(unlink(checkpoint) == 0);
    REQUIRE(symlink(absent, checkpoint) == 0 && lchown(checkpoint, NOBODY, NOBODY) == 0);
    refused_as_of_another_user(checkpoint, "a symbolic link");
    CHECK(!exists(absent));
}

static void a_file_of_another_user_in_a_shared_folder_is_not_read(void)
{
    char *checkpoint = checkpoint_in_a_shared_folder();
    static const char *const refusals[] = {"of another user", "Permission denied"};
    us3_client *client;
    us3_result result = US3_RESULT_INIT;

    if (!can_give_files_away("a file of another user as a checkpoint"))
        return;
    test_text_file("shared/checkpoint", "{}");
    REQUIRE(chown(checkpoint, NOBODY, NOBODY) == 0 && chmod(checkpoint, 0666) == 0);
    emulator_reset();
    client = emulator_client();
    CHECK_STATUS(US3_FILE_ERROR, upload(client, checkpoint, &result), &result);
    /* The system itself refuses where fs.protected_regular is on. */
    CHECK_HAS(result.err_msg, refusals[result.os_error == EACCES]);
    CHECK_STR("{}", read_text(checkpoint));
    CHECK(!exists(format("%s.damaged", checkpoint)));
    CHECK_INT(0, emulator_count("requests", "\"sequence\":"));
    us3_result_clear(&result);
    us3_client_free(client);
}

/* Folders that another user may write to: as the owner, or as one of the group. */
static const struct {
    mode_t mode;
    uid_t owner;
    gid_t group;
} folders_of_others[] = {{0755, NOBODY, NOBODY}, {0775, 0, NOBODY}, {02770, 0, NOBODY}};

enum { FOLDERS_OF_OTHERS = sizeof folders_of_others / sizeof *folders_of_others };

static char *checkpoint_in_folder_of_others(size_t number)
{
    char *folder = test_path(format("of-others-%zu", number));

    REQUIRE(mkdir(folder, 0700) == 0 || errno == EEXIST);
    REQUIRE(chown(folder, folders_of_others[number].owner, folders_of_others[number].group) == 0);
    REQUIRE(chmod(folder, folders_of_others[number].mode) == 0);
    REQUIRE(unlink(format("%s/checkpoint", folder)) == 0 || errno == ENOENT);
    return format("%s/checkpoint", folder);
}

static void what_another_user_puts_into_a_folder_that_they_may_write_to_is_not_used(void)
{
    char *mine = test_text_file("mine", "precious");
    struct stat before;

    if (!can_give_files_away("a checkpoint in a folder of another user or a group"))
        return;
    REQUIRE(stat(mine, &before) == 0);
    for (size_t i = 0; i < FOLDERS_OF_OTHERS; i++) {
        char *checkpoint = checkpoint_in_folder_of_others(i);
        struct stat after = {0};

        REQUIRE(symlink(mine, checkpoint) == 0 && lchown(checkpoint, NOBODY, NOBODY) == 0);
        refused_as_of_another_user(checkpoint, "a symbolic link");
        CHECK(stat(mine, &after) == 0 && before.st_ino == after.st_ino);
        CHECK_STR("precious", read_text(mine));
        CHECK(!exists(format("%s.damaged", mine)));

        REQUIRE(unlink(checkpoint) == 0);
        test_text_file(format("of-others-%zu/checkpoint", i), "");
        REQUIRE(chown(checkpoint, NOBODY, NOBODY) == 0);
        refused_as_of_another_user(checkpoint, "a file");
    }
}

/* What this user or root has put there counts. */
static void our_own_link_in_a_folder_of_a_group_is_followed(void)
{
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;
    char *target = test_path("target");

    if (!can_give_files_away("a link of ours in a folder of a group"))
        return;
    for (size_t i = 0; i < FOLDERS_OF_OTHERS; i++) {
        char *checkpoint = checkpoint_in_folder_of_others(i);

        emulator_reset();
        REQUIRE(symlink(target, checkpoint) == 0);
        CHECK_STATUS(US3_OK, upload(client, checkpoint, &result), &result);
        CHECK(exists(checkpoint));
        check_nothing_left(target);
    }
    us3_result_clear(&result);
    us3_client_free(client);
}

/* ---- changes ---------------------------------------------------------------------------------- */

static const char *changing; /* the file */

static struct stat stat_of(const char *path)
{
    struct stat about;

    REQUIRE(stat(path, &about) == 0);
    return about;
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* As `rsync -t --inplace`, `cp -p` and tar do, in each part, of which one at least was read; again until the clock of the file system has ticked. */
static void rewrite_with_the_old_time(void)
{
    struct stat before = stat_of(changing);
    struct timespec times[2] = {before.st_atim, before.st_mtim};
    int fd = open(changing, O_WRONLY);

    REQUIRE(fd >= 0);
    do
        for (int part = 0; part < PARTS; part++)
            REQUIRE(pwrite(fd, "other", 5, (off_t)part * PART_MIB * MIB) == 5 && futimens(fd, times) == 0);
    while (same_time(before.st_ctim, stat_of(changing).st_ctim));
    close(fd);
    CHECK(same_time(before.st_mtim, stat_of(changing).st_mtim));
}

static void give_other_permissions(void)
{
    struct stat before = stat_of(changing);

    do
        REQUIRE(chmod(changing, 0640) == 0);
    while (same_time(before.st_ctim, stat_of(changing).st_ctim));
}

static void by_all_operations(void (*change)(void), us3_status expected, const char *message)
{
    us3_client *client = emulator_client();
    us3_result result = US3_RESULT_INIT;

    true_size = told_size = 10 * MIB;
    before_the_third_look = change;
    for (int i = 0; i <= ASYNC_UPLOAD; i++) {
        char *path = format("/change/%d/%d", (int)getpid(), i);

        emulator_reset();
        changing = test_file("changing", 10 * MIB, 1);
        __atomic_store_n(&looks, 0, __ATOMIC_RELEASE);
        CHECK_STATUS(expected, operations[i].run(client, changing, "k", json_policy(path), &result), &result);
        if (message != NULL)
            CHECK_HAS(result.err_msg, message);
        CHECK(__atomic_load_n(&looks, __ATOMIC_ACQUIRE) > 2);
        CHECK_INT(expected == US3_OK, object_exists("k"));
        CHECK_INT(expected == US3_OK, callbacks_with(path));
        CHECK_INT(0, pending_uploads());
    }
    us3_result_clear(&result);
    us3_client_free(client);
}

static void a_rewritten_file_with_its_old_time_is_not_stored(void)
{
    by_all_operations(rewrite_with_the_old_time, US3_FILE_CHANGED, "no longer what was sent");
}

static void a_file_with_other_permissions_is_stored(void)
{
    by_all_operations(give_other_permissions, US3_OK, NULL);
}

/* Whether it holds what was sent can then not be found out. */
static void a_file_that_is_touched_again_and_again_is_not_stored(void)
{
    happens_always = true;
    by_all_operations(give_other_permissions, US3_FILE_CHANGED, "touched again");
}

/* Nothing but its content tells. */
static void a_write_in_the_tick_in_which_the_file_was_opened_is_seen(void)
{
    struct timespec now;

    /* The uploads take longer than a file counts as just written, so the clock stands where they will have ended. */
    REQUIRE(clock_gettime(CLOCK_REALTIME, &now) == 0);
    standing_clock.tv_sec = now.tv_sec + 600;
    standing_clock.tv_nsec = 1;
    by_all_operations(rewrite_with_the_old_time, US3_FILE_CHANGED, "no longer what was sent");
}

static void leave_it_alone(void)
{
}

static void a_file_that_was_just_written_is_stored(void)
{
    struct timespec now;

    REQUIRE(clock_gettime(CLOCK_REALTIME, &now) == 0);
    standing_clock.tv_sec = now.tv_sec + 600;
    standing_clock.tv_nsec = 1;
    by_all_operations(leave_it_alone, US3_OK, NULL);
}

/* ---- a slow source ---------------------------------------------------------------------------- */

static uint64_t patience_ms(void)
{
    return check_slow() ? 3000 : 300;
}

static void take_longer_than_the_patience(void)
{
    uint64_t pause_ms = 3 * patience_ms();
    const struct timespec pause = {.tv_sec = (time_t)(pause_ms / 1000), .tv_nsec = (long)(pause_ms % 1000) * 1000000L};

    nanosleep(&pause, NULL);
}

static us3_status upload_from_a_slow_disk(int32_t mode, uint64_t timeout_ms, us3_result *result)
{
    us3_config config = config_for(env("US3_TEST_ENDPOINT"));
    us3_client *client;
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    us3_status status;

    config.idle_timeout_ms = patience_ms();
    client = client_with(&config);
    true_size = told_size = 10 * MIB;
    before_the_third_look = take_longer_than_the_patience;
    emulator_reset();
    request.file_path = test_file("slow", 10 * MIB, 1);
    request.key = "k";
    request.mode = mode;
    request.timeout_ms = timeout_ms;
    __atomic_store_n(&looks, 0, __ATOMIC_RELEASE);
    status = us3_upload(client, &request, result);
    us3_client_free(client);
    return status;
}

/* It is not the network that does nothing. */
static void a_disk_that_takes_long_is_no_idle_network(void)
{
    us3_result result = US3_RESULT_INIT;

    for (int32_t mode = US3_MODE_PUT; mode <= US3_MODE_MPUT; mode++) {
        CHECK_STATUS(US3_OK, upload_from_a_slow_disk(mode, 0, &result), &result);
        CHECK_INT(1, result.attempts);
    }
    us3_result_clear(&result);
}

static void a_disk_that_takes_long_does_not_outlast_the_deadline(void)
{
    us3_result result = US3_RESULT_INIT;

    happens_always = true;
    CHECK_STATUS(US3_TIMEOUT, upload_from_a_slow_disk(US3_MODE_PUT, 2 * patience_ms(), &result), &result);
    CHECK_HAS(result.err_msg, "timeout_ms");
    CHECK(strstr(result.err_msg, "idle_timeout_ms") == NULL);
    CHECK(!object_exists("k"));
    us3_result_clear(&result);
}

/* ---- sizes ------------------------------------------------------------------------------------ */

static void a_file_of_any_length_must_have_its_size(void)
{
    us3_client *client = emulator_client();
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;
    us3_result result = US3_RESULT_INIT;
    static const struct {
        uint64_t told;
        const char *message;
    } cases[] = {{9 * MIB, "holds more"}, {0, "holds more"}, {11 * MIB, "ends after 10485760"}};

    true_size = 10 * MIB;
    told_size = true_size;
    request.file_path = test_file("untrue", 10 * MIB, 1);
    request.key = "k";
    CHECK_STATUS(US3_OK, us3_upload(client, &request, &result), &result);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (request.mode = US3_MODE_PUT; request.mode <= US3_MODE_MPUT; request.mode++) {
            emulator_reset();
            told_size = cases[i].told;
            CHECK_STATUS(US3_FILE_ERROR, us3_upload(client, &request, &result), &result);
            CHECK_HAS(result.err_msg, cases[i].message);
            CHECK_HAS(result.err_msg, "stream");
            CHECK(!object_exists("k"));
            CHECK_INT(0, pending_uploads());
        }
    }
    us3_result_clear(&result);
    us3_client_free(client);
}

int main(void)
{
    RUN(a_disk_that_is_full_later_keeps_the_upload);
    RUN(a_full_disk_ends_the_upload_and_leaves_nothing);
    RUN(a_read_only_folder_is_refused_before_anything_is_sent);
    RUN(a_folder_that_cannot_be_synced_is_a_note);
    RUN(a_checkpoint_that_does_not_reach_the_disk_ends_the_upload);
    RUN(a_link_of_another_user_in_a_shared_folder_is_not_followed);
    RUN(a_file_of_another_user_in_a_shared_folder_is_not_read);
    RUN(what_another_user_puts_into_a_folder_that_they_may_write_to_is_not_used);
    RUN(our_own_link_in_a_folder_of_a_group_is_followed);
    RUN(a_rewritten_file_with_its_old_time_is_not_stored);
    RUN(a_file_with_other_permissions_is_stored);
    RUN(a_file_that_is_touched_again_and_again_is_not_stored);
    RUN(a_write_in_the_tick_in_which_the_file_was_opened_is_seen);
    RUN(a_file_that_was_just_written_is_stored);
    RUN(a_disk_that_takes_long_is_no_idle_network);
    RUN(a_disk_that_takes_long_does_not_outlast_the_deadline);
    RUN(a_file_of_any_length_must_have_its_size);
    return check_done();
}
