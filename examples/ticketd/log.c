#include "log.h"
#include "identity.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * size <= LINE_LIMIT at all times: what is kept back is for the last field,
 * cut=true, and the end of the line.
 */
#define LINE_LIMIT (PIPE_BUF - sizeof(" cut=true\n"))

struct line {
    char text[PIPE_BUF];
    size_t size;
    bool is_cut;
};

static int log_fd = STDERR_FILENO;

bool log_open(const char *path)
{
    if (path == NULL) {
        return true;
    }
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    if (fd < 0) {
        return false;
    }
    log_fd = fd;
    return true;
}

void log_close(void)
{
    if (log_fd != STDERR_FILENO) {
        close(log_fd);
        log_fd = STDERR_FILENO;
    }
}

static void put(struct line *line, const char *bytes, size_t size)
{
    if (line->is_cut || size > LINE_LIMIT - line->size) {
        line->is_cut = true;
        return;
    }
    memcpy(line->text + line->size, bytes, size);
    line->size += size;
}

static void put_text(struct line *line, const char *text)
{
    put(line, text, strlen(text));
}

static bool is_plain(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~' || strchr("\"\\=", *at) != NULL) {
            return false;
        }
    }
    return text[0] != '\0';
}

/* Control characters become JSON's escapes; UTF-8 stays as it is. */
static void put_escaped(struct line *line, char c)
{
    char escape[8];
    if (c == '"' || c == '\\') {
        put(line, (char[]){'\\', c}, 2);
    } else if (c == '\n') {
        put_text(line, "\\n");
    } else if ((c >= 0 && c < ' ') || c == '\x7f') {
        snprintf(escape, sizeof(escape), "\\u%04x", (unsigned char)c);
        put_text(line, escape);
    } else {
        put(line, &c, 1);
    }
}

static void put_value(struct line *line, const char *value)
{
    if (is_plain(value)) {
        put_text(line, value);
        return;
    }
    put_text(line, "\"");
    for (const char *at = value; *at != '\0'; at++) {
        put_escaped(line, *at);
    }
    put_text(line, "\"");
}

/* A whole field or none. */
static void put_field(struct line *line, const char *key, const char *value)
{
    size_t before = line->size;
    put_text(line, " ");
    put_text(line, key);
    put_text(line, "=");
    put_value(line, value);
    if (line->is_cut) {
        line->size = before;
    }
}

static void put_time(struct line *line)
{
    struct timespec now;
    struct tm utc;
    char text[48];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t size = strftime(text, sizeof(text), "ts=%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + size, sizeof(text) - size, ".%06ldZ", now.tv_nsec / 1000);
    put_text(line, text);
}

static void write_all(const char *text, size_t size)
{
    while (size > 0) {
        ssize_t written = write(log_fd, text, size);
        if (written < 0 && errno != EINTR) {
            return; /* there is nowhere left to complain */
        }
        if (written > 0) {
            text += written;
            size -= (size_t)written;
        }
    }
}

void log_write(const char *level, const char *message, ...)
{
    struct line line = {.size = 0};
    put_time(&line);
    put_field(&line, "level", level);
    put_field(&line, "msg", message);
    for (size_t i = 0; i < IDENTITY_PARTS; i++) {
        put_field(&line, identity_parts[i].key, identity_parts[i].current());
    }
    va_list fields;
    va_start(fields, message);
    const char *key;
    while ((key = va_arg(fields, const char *)) != NULL) {
        put_field(&line, key, va_arg(fields, const char *));
    }
    va_end(fields);
    if (line.is_cut) {
        line.is_cut = false;
        memcpy(line.text + line.size, " cut=true", 9);
        line.size += 9;
    }
    line.text[line.size++] = '\n';
    write_all(line.text, line.size);
}

const char *log_number(long long number, char out_text[LOG_NUMBER_SIZE])
{
    snprintf(out_text, LOG_NUMBER_SIZE, "%lld", number);
    return out_text;
}
