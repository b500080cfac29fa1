/* Checkpoints in folders that other users of the machine write to.
 *
 * A finish with a policy is refused, so that a checkpoint stays.
 * emulator options: --rule {"call":"finish","policy":true,"fault":{"answer":{"status":400,"body":"{\"RetCode\":-148660,\"ErrMsg\":\"refused\"}"}}}
 */
#define _GNU_SOURCE /* umask and lchown besides POSIX */

#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* Users that no system gives a name. The library runs as OURS. */
enum { OURS = 61234, THEIRS = 61235 };

enum { PARTS = 3, PART_MIB = 4 };

#define PRECIOUS "what nobody may change"

/* ---- users ------------------------------------------------------------------------------------ */

/* Only root can become other users. */
static bool can_change_user(void)
{
    const char *required = getenv("REQUIRE_ALL");

    if (geteuid() == 0)
        return true;
    if (required != NULL && strcmp(required, "1") == 0)
        check_fail(__FILE__, __LINE__, "files against other users can only be tested as root");
    else
        fprintf(stderr, "*** NOT TESTED: files against other users: this needs root\n");
    return false;
}

/* Does something as another user, in a process of its own. */
static void as_user(uid_t uid, void (*act)(const char *), const char *path)
{
    int status = 0;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    REQUIRE(pid >= 0);
    if (pid == 0) {
        REQUIRE(setgroups(0, NULL) == 0 && setgid(uid) == 0 && setuid(uid) == 0);
        act(path);
        check_leave_fork();
    }
    REQUIRE(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Lets others into the test's folder: it lies in the program's, in the one of run.sh. */
static void let_others_in(void)
{
    static const char *const folders[] = {".", "..", "../.."};

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
        REQUIRE(chmod(test_path(folders[i]), 0711) == 0);
}

/* A new folder of this mode; a sticky one is like /tmp. Ours, unless everybody may write to it; where its group may,
 * they are the group. */
static const char *folder_with(mode_t mode)
{
    const char *path = test_path("folder");

    REQUIRE(system(format("rm -rf '%s'", path)) == 0);
    REQUIRE(mkdir(path, 0700) == 0 && chmod(path, mode) == 0);
    if ((mode & S_IWOTH) == 0)
        REQUIRE(chown(path, OURS, (mode & S_IWGRP) != 0 ? THEIRS : OURS) == 0);
    return path;
}

/* ---- what we have to lose --------------------------------------------------------------------- */

static struct stat about(const char *path)
{
    struct stat about = {0};

    REQUIRE(lstat(path, &about) == 0);
    return about;
}

/* A file of ours that is no checkpoint. */
static const char *precious(void)
{
    const char *path = test_text_file("precious", PRECIOUS);

    REQUIRE(chmod(path, 0600) == 0 && chown(path, OURS, OURS) == 0);
    return path;
}

static void check_precious(const char *path, const struct stat *before)
{
    struct stat after = about(path);

    CHECK_STR(PRECIOUS, read_text(path));
    CHECK_INT(before->st_ino, after.st_ino);
    CHECK_INT(before->st_mode, after.st_mode);
    CHECK_INT(OURS, after.st_uid);
}

/* ---- uploads with a checkpoint ---------------------------------------------------------------- */

/* One for each test, which share an emulator. */
static const char *key;

static us3_upload_request resumable(const char *checkpoint)
{
    us3_upload_request request = US3_UPLOAD_REQUEST_INIT;

    request.file_path = test_path("content");
    request.key = key;
    request.mode = US3_MODE_MPUT;
    request.jobs = 1;
    request.resume_path = checkpoint;
    return request;
}

static void make_content(void)
{
    const char *path = test_file("content", PARTS * PART_MIB * MIB, 1);

    let_others_in();
    REQUIRE(chown(path, OURS, OURS) == 0);
}

static void check_content_stored(void)
{
    CHECK_STORED(key, test_bytes(PARTS * PART_MIB * MIB, 1), PARTS * PART_MIB * MIB);
}

/* Uploads to the end. Refused is as good, if it is said and nothing is left with the service. */
static void upload_or_be_refused(const char *checkpoint)
{
    us3_client *client = emulator_client();
    us3_upload_request request = resumable(checkpoint);
    us3_result result = US3_RESULT_INIT;

    if (us3_upload(client, &request, &result) == US3_OK) {
        check_content_stored();
    } else {
        CHECK_INT(US3_FILE_ERROR, result.status);
        CHECK_INT(US3_OBJECT_NOT_STORED, result.object_state);
        CHECK_HAS(result.err_msg, checkpoint);
    }
    us3_result_clear(&result);
    us3_client_free(client);
}

static void upload_all(const char *checkpoint)
{
    us3_client *client = emulator_client();
    us3_upload_request request = resumable(checkpoint);
    us3_result result = US3_RESULT_INIT;

    CHECK_STATUS(US3_OK, us3_upload(client, &request, &result), &result);
    CHECK_INT(0, result.parts_resumed);
    check_content_stored();
    us3_result_clear(&result);
    us3_client_free(client);
}

/* A careless umask, as a daemon has it. */
static void leave_a_checkpoint(const char *checkpoint)
{
    us3_client *client = emulator_client();
    us3_upload_request request = resumable(checkpoint);
    us3_result result = US3_RESULT_INIT;

    umask(0);
    request.policy_json = json_policy("/never");
    CHECK_STATUS(US3_SERVICE_ERROR, us3_upload(client, &request, &result), &result);
    CHECK(result.upload_id != NULL);
    us3_result_clear(&result);
    us3_client_free(client);
}

/* ---- the tests -------------------------------------------------------------------------------- */

static void is_closed_to_us(const char *checkpoint)
{
    CHECK(open(checkpoint, O_RDONLY) < 0 && errno == EACCES);
    CHECK(open(checkpoint, O_WRONLY) < 0 && errno == EACCES);
    CHECK(unlink(checkpoint) < 0 && errno == EPERM);
}

/* It names the upload, the key and the file. */
static void a_checkpoint_is_its_owners_alone(void)
{
    const char *checkpoint;
    struct stat found;

    if (!can_change_user())
        return;
    key = "alone";
    make_content();
    checkpoint = format("%s/checkpoint", folder_with(01777));
    as_user(OURS, leave_a_checkpoint, checkpoint);
    found = about(checkpoint);
    CHECK_INT(S_IFREG | 0600, found.st_mode);
    CHECK_INT(OURS, found.st_uid);
    as_user(THEIRS, is_closed_to_us, checkpoint);
    CHECK_HAS(read_text(checkpoint), "upload_id");
    CHECK(strstr(read_text(checkpoint), TEST_PRIVATE_KEY) == NULL);
}

/* One that was there before, open to all, is closed by the first run. */
static void an_open_checkpoint_is_closed(void)
{
    const char *checkpoint;

    if (!can_change_user())
        return;
    key = "closed";
    make_content();
    checkpoint = format("%s/checkpoint", folder_with(01777));
    as_user(OURS, leave_a_checkpoint, checkpoint);
    REQUIRE(chmod(checkpoint, 0644) == 0);
    as_user(OURS, leave_a_checkpoint, checkpoint);
    CHECK_INT(S_IFREG | 0600, about(checkpoint).st_mode);
}

static void plant_a_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);

    REQUIRE(fd >= 0 && write(fd, "planted", 7) == 7 && fchmod(fd, 0666) == 0 && close(fd) == 0);
}

static void plant_a_link_to_precious(const char *path)
{
    REQUIRE(symlink(test_path("precious"), path) == 0);
}

static void plant_a_link_to_nothing(const char *path)
{
    REQUIRE(symlink(test_path("private/new"), path) == 0);
}

/* Root does it, because Linux may forbid it to others (fs.protected_hardlinks). */
static void plant_a_hard_link(const char *path)
{
    REQUIRE(link(test_path("precious"), path) == 0);
}

/* Where the checkpoint is to be, and beside it, in a folder like /tmp, in one where everybody may do everything, and in
 * one where their group may. */
static void what_another_user_puts_there_does_no_harm(void)
{
    static const struct {
        void (*plant)(const char *);
        bool as_root;
    } plants[] = {
        {plant_a_file, false},
        {plant_a_link_to_precious, false},
        {plant_a_link_to_nothing, false},
        {plant_a_hard_link, true},
    };
    static const char *const names[] = {"checkpoint.us3-tmp", "checkpoint.damaged", "checkpoint"};
    static const mode_t modes[] = {01777, 0777, 0775};
    int pending;

    if (!can_change_user())
        return;
    key = "planted";
    pending = pending_uploads();
    make_content();
    REQUIRE(mkdir(test_path("private"), 0700) == 0 && chown(test_path("private"), OURS, OURS) == 0);
    for (size_t mode = 0; mode < 3; mode++)
        for (size_t name = 0; name < 3; name++)
            for (size_t plant = 0; plant < 4; plant++) {
                const char *folder = folder_with(modes[mode]);
                const char *ours = precious();
                struct stat before = about(ours);

                as_user(plants[plant].as_root ? 0 : THEIRS, plants[plant].plant, format("%s/%s", folder, names[name]));
                as_user(OURS, upload_or_be_refused, format("%s/checkpoint", folder));
                check_precious(ours, &before);
                CHECK(access(test_path("private/new"), F_OK) != 0);
                CHECK_INT(pending, pending_uploads());
                if (check_failures() != 0) {
                    check_fail(__FILE__, __LINE__, "that was mode %o, %s, plant %zu", (unsigned)modes[mode],
                               names[name], plant);
                    return;
                }
            }
}

/* A checkpoint of another user that names an upload with that user's content, in a folder of ours. */
static void parts_that_another_user_has_sent_are_not_ours(void)
{
    us3_client *client;
    us3_multipart *upload = NULL;
    us3_result result = US3_RESULT_INIT;
    unsigned char *foreign;
    const char *checkpoint;
    char *text, *at;

    if (!can_change_user())
        return;
    key = "parts";
    make_content();
    checkpoint = format("%s/checkpoint", folder_with(0755));
    as_user(OURS, leave_a_checkpoint, checkpoint);
    text = read_text(checkpoint);

    client = emulator_client();
    CHECK_STATUS(US3_OK, us3_initiate_multipart_upload(client, key, NULL, &upload, &result), &result);
    foreign = test_bytes(PART_MIB * MIB, 99);
    for (uint32_t number = 0; number < PARTS; number++)
        CHECK_STATUS(US3_OK, us3_upload_part(upload, number, foreign, PART_MIB * MIB, &result), &result);
    at = strstr(text, "\"upload_id\": \"");
    REQUIRE(at != NULL);
    at += strlen("\"upload_id\": \"");
    REQUIRE(strlen(us3_multipart_upload_id(upload)) == strcspn(at, "\""));
    memcpy(at, us3_multipart_upload_id(upload), strcspn(at, "\""));
    REQUIRE(unlink(checkpoint) == 0);
    test_text_file("folder/checkpoint", text);
    REQUIRE(chmod(checkpoint, 0666) == 0 && chown(checkpoint, THEIRS, THEIRS) == 0);

    as_user(OURS, upload_all, checkpoint);
    us3_multipart_free(upload);
    us3_result_clear(&result);
    us3_client_free(client);
}

int main(void)
{
    RUN(a_checkpoint_is_its_owners_alone);
    RUN(an_open_checkpoint_is_closed);
    RUN(what_another_user_puts_there_does_no_harm);
    RUN(parts_that_another_user_has_sent_are_not_ours);
    return check_done();
}
