// Bytes of YAML -> a tree of nodes, by libyaml's events; and --set, which writes over the tree.

#include "common/settings/document.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

enum { CHUNK_SIZE = 16 * 1024 };

/// Nodes and texts live in chunks that are released together.
struct chunk {
    struct chunk *next;
    size_t used, size;
    _Alignas(max_align_t) char data[];
};

struct document {
    struct chunk *chunks;
    struct node *root;
    size_t nodes;
};

static void *document_take(struct document *document, size_t size) {
    size = (size + _Alignof(max_align_t) - 1) & ~(_Alignof(max_align_t) - 1);
    struct chunk *chunk = document->chunks;
    if (!chunk || chunk->size - chunk->used < size) {
        size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
        chunk = malloc(sizeof *chunk + room);
        if (!chunk) return NULL;
        *chunk = (struct chunk){.next = document->chunks, .size = room};
        document->chunks = chunk;
    }
    void *taken = chunk->data + chunk->used;
    chunk->used += size;
    return taken;
}

static char *document_copy(struct document *document, const char *text, size_t size) {
    char *copy = document_take(document, size + 1);
    if (!copy) return NULL;
    memcpy(copy, text, size);
    copy[size] = '\0';
    return copy;
}

static struct node *node_new(struct document *document, const struct node *like) {
    struct node *node = document_take(document, sizeof *node);
    if (node) *node = *like;
    return node;
}

static void node_append(struct node *parent, struct node *child) {
    child->parent = parent;
    child->index = (uint32_t)parent->count++;
    *(parent->last ? &parent->last->next : &parent->first) = child;
    parent->last = child;
}

// --- from events to nodes

/// What stands open while the events of one text come in. `failed`: a problem was reported;
/// `stopped`: and what follows makes no sense any more.
struct builder {
    struct document *document;
    struct problems *problems;
    const char *file;
    struct node *root;
    struct node *open; // the innermost list or map
    const char *key;   // of the map's next value
    size_t depth;
    bool given; // on the command line: `file` says all about the place
    bool failed, stopped, ended, second;
};

/// The node that an event will become, for its place.
static struct node node_at(const struct builder *builder, const yaml_mark_t *mark) {
    return (struct node){.file = builder->file,
                         .line = builder->given ? 0 : (uint32_t)mark->line + 1,
                         .column = builder->given ? 0 : (uint32_t)mark->column + 1};
}

static void builder_stop(struct builder *builder, const yaml_mark_t *mark, enum err err,
                         const char *sentence) {
    struct node place = node_at(builder, mark);
    node_problem(&place, builder->problems, err, "%s", sentence);
    builder->failed = builder->stopped = true;
}

/// A place in the tree for an event's node: checks the bounds and links it in. NULL: stopped.
static struct node *builder_node(struct builder *builder, const yaml_event_t *event,
                                 enum node_kind kind) {
    if (builder->second) {
        builder_stop(builder, &event->start_mark, ERR_FORMAT,
                     "a second document begins; a file holds one: remove the '---'");
        return NULL;
    }
    if (builder->document->nodes >= DOCUMENT_NODES_MAX) {
        builder_stop(builder, &event->start_mark, ERR_FULL,
                     "more than 65536 values; divide the file");
        return NULL;
    }
    struct node like = node_at(builder, &event->start_mark);
    like.kind = kind;
    like.key = builder->key;
    struct node *node = node_new(builder->document, &like);
    if (!node) {
        builder_stop(builder, &event->start_mark, ERR_NOMEM, "out of memory");
        return NULL;
    }
    builder->document->nodes++;
    if (builder->open)
        node_append(builder->open, node);
    else
        builder->root = node;
    builder->key = NULL;
    return node;
}

static bool has_anchor_or_tag(struct builder *builder, const yaml_event_t *event,
                              const yaml_char_t *anchor, const yaml_char_t *tag) {
    if (anchor)
        builder_stop(
            builder, &event->start_mark, ERR_FORMAT,
            "anchors (&name) are not supported; write the value out where it is needed, or "
            "put a text that begins with & in quotes");
    else if (tag)
        builder_stop(builder, &event->start_mark, ERR_FORMAT,
                     "tags (!name) are not supported; leave it out, or put a text that begins with "
                     "! in quotes");
    return anchor || tag;
}

static bool builder_wants_key(const struct builder *builder) {
    return builder->open && builder->open->kind == NODE_MAP && !builder->key;
}

static void take_key(struct builder *builder, const yaml_event_t *event, const char *text) {
    char first[NODE_WHERE_SIZE];
    if (builder->open->count >= DOCUMENT_KEYS_MAX) {
        builder_stop(builder, &event->start_mark, ERR_FULL,
                     "more than 1024 keys in one map; divide it");
        return;
    }
    const struct node *twin = node_find(builder->open, text);
    if (twin) {
        struct node place = node_at(builder, &event->start_mark);
        node_problem(&place, builder->problems, ERR_CONFLICT,
                     "'%.60s' stands here a second time (first: %s); remove one of them", text,
                     node_where(twin, first));
        builder->failed = true;
    }
    builder->key = document_copy(builder->document, text, strlen(text));
    if (!builder->key) builder_stop(builder, &event->start_mark, ERR_NOMEM, "out of memory");
}

static void take_scalar(struct builder *builder, const yaml_event_t *event) {
    const char *text = (const char *)event->data.scalar.value;
    size_t size = event->data.scalar.length;
    if (has_anchor_or_tag(builder, event, event->data.scalar.anchor, event->data.scalar.tag))
        return;
    if (memchr(text, '\0', size)) {
        builder_stop(builder, &event->start_mark, ERR_FORMAT,
                     "the text contains a zero byte; remove the escape that writes it");
        return;
    }
    if (builder_wants_key(builder)) {
        take_key(builder, event, text);
        return;
    }
    struct node *node = builder_node(builder, event, NODE_SCALAR);
    if (!node) return;
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    node->size = size;
    node->text = document_copy(builder->document, text, size);
    if (!node->text) builder_stop(builder, &event->start_mark, ERR_NOMEM, "out of memory");
}

static void take_open(struct builder *builder, const yaml_event_t *event, enum node_kind kind,
                      const yaml_char_t *anchor, const yaml_char_t *tag) {
    if (has_anchor_or_tag(builder, event, anchor, tag)) return;
    if (builder_wants_key(builder)) {
        builder_stop(
            builder, &event->start_mark, ERR_FORMAT,
            "a list or map cannot be a key; write a text before the ':', or put what begins "
            "with [ or { in quotes");
        return;
    }
    if (builder->depth >= DOCUMENT_DEPTH_MAX) {
        builder_stop(builder, &event->start_mark, ERR_FULL,
                     "lists and maps lie more than 16 deep; write it flatter");
        return;
    }
    struct node *node = builder_node(builder, event, kind);
    if (!node) return;
    builder->open = node;
    builder->depth++;
}

static void take_event(struct builder *builder, const yaml_event_t *event) {
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        take_scalar(builder, event);
        break;
    case YAML_SEQUENCE_START_EVENT:
        take_open(builder, event, NODE_LIST, event->data.sequence_start.anchor,
                  event->data.sequence_start.tag);
        break;
    case YAML_MAPPING_START_EVENT:
        take_open(builder, event, NODE_MAP, event->data.mapping_start.anchor,
                  event->data.mapping_start.tag);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        builder->open = builder->open->parent;
        builder->depth--;
        break;
    case YAML_ALIAS_EVENT:
        builder_stop(builder, &event->start_mark, ERR_FORMAT,
                     "aliases (*name) are not supported; write the value out, or put a text that "
                     "begins with * in quotes");
        break;
    case YAML_DOCUMENT_END_EVENT:
        builder->second = true;
        break;
    case YAML_STREAM_END_EVENT:
        builder->ended = true;
        break;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_START_EVENT:
        break;
    }
}

// --- what libyaml cannot read

/// The line (from 0) of the text, without its end.
static struct bytes line_of(struct bytes yaml, size_t line) {
    const uint8_t *at = yaml.data, *end = yaml.data + yaml.size;
    for (; line && at < end; line--) {
        const uint8_t *next = memchr(at, '\n', (size_t)(end - at));
        at = next ? next + 1 : end;
    }
    const uint8_t *stop = at < end ? memchr(at, '\n', (size_t)(end - at)) : NULL;
    return (struct bytes){at, (size_t)((stop ? stop : end) - at)};
}

static bool indented_by_tab(struct bytes line) {
    for (size_t i = 0; i < line.size && (line.data[i] == ' ' || line.data[i] == '\t'); i++)
        if (line.data[i] == '\t') return true;
    return false;
}

/// A byte that is not UTF-8 or not text: libyaml tells only its offset.
static void report_byte(struct builder *builder, const yaml_parser_t *parser, struct bytes yaml) {
    yaml_mark_t mark = {0};
    size_t offset = parser->problem_offset < yaml.size ? parser->problem_offset : yaml.size;
    for (size_t i = 0; i < offset; i++) {
        bool line_ends = yaml.data[i] == '\n', continues = (yaml.data[i] & 0xc0) == 0x80;
        if (line_ends) mark.line++;
        mark.column = line_ends ? 0 : mark.column + !continues;
    }
    builder_stop(builder, &mark, ERR_FORMAT,
                 "not UTF-8 text from here on; save the file as UTF-8 without control characters");
}

static void report_syntax(struct builder *builder, const yaml_parser_t *parser, struct bytes yaml) {
    const yaml_mark_t *mark = &parser->problem_mark;
    if (parser->error == YAML_MEMORY_ERROR) {
        builder_stop(builder, mark, ERR_NOMEM, "out of memory");
    } else if (parser->error == YAML_READER_ERROR) {
        report_byte(builder, parser, yaml);
    } else if (indented_by_tab(line_of(yaml, mark->line))) {
        builder_stop(builder, mark, ERR_FORMAT, "a tab indents this line; use spaces");
    } else {
        char sentence[256];
        snprintf(sentence, sizeof sentence,
                 "not YAML: %.80s%s%.80s; look at the indentation, quotes and brackets here and in "
                 "the line before",
                 parser->problem ? parser->problem : "cannot be read", parser->context ? " " : "",
                 parser->context ? parser->context : "");
        builder_stop(builder, mark, ERR_FORMAT, sentence);
    }
}

static void builder_run(struct builder *builder, struct bytes yaml) {
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser)) {
        builder_stop(builder, &(yaml_mark_t){0}, ERR_NOMEM, "out of memory");
        return;
    }
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, yaml.data ? yaml.data : (const uint8_t *)"", yaml.size);
    while (!builder->stopped && !builder->ended) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            report_syntax(builder, &parser, yaml);
            break;
        }
        take_event(builder, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
}

// --- documents

/// A file without any value is an empty map: all defaults.
static void empty_is_map(struct document *document, const char *file) {
    struct node *root = document->root;
    if (root && !(root->kind == NODE_SCALAR && !root->quoted && root->size == 0)) return;
    document->root = node_new(document, &(struct node){.kind = NODE_MAP, .file = file});
}

struct document *document_parse(const char *file, struct bytes yaml, struct problems *problems) {
    if (yaml.size > DOCUMENT_SIZE_MAX) {
        problems_add(problems, ERR_FULL, file, "larger than 1 MiB; divide it");
        return NULL;
    }
    struct document *document = calloc(1, sizeof *document);
    const char *name = document ? document_copy(document, file, strlen(file)) : NULL;
    if (!name) {
        problems_add(problems, ERR_NOMEM, file, "out of memory");
        document_free(document);
        return NULL;
    }
    struct builder builder = {.document = document, .problems = problems, .file = name};
    builder_run(&builder, yaml);
    document->root = builder.root;
    empty_is_map(document, name);
    if (builder.failed || !document->root) {
        if (!builder.failed) problems_add(problems, ERR_NOMEM, file, "out of memory");
        document_free(document);
        return NULL;
    }
    return document;
}

void document_free(struct document *document) {
    if (!document) return;
    for (struct chunk *chunk = document->chunks, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(document);
}

const struct node *document_root(const struct document *document) {
    return document->root;
}

// --- --set

/// A value not yet in its place, or NULL: reported.
static struct node *value_new(struct document *document, const char *origin, const char *value,
                              size_t depth, struct problems *problems) {
    if (*value == '[' || *value == '{') {
        struct builder builder = {.document = document,
                                  .problems = problems,
                                  .file = origin,
                                  .depth = depth,
                                  .given = true};
        struct bytes yaml = bytes_of_text(value);
        if (yaml.size > DOCUMENT_SIZE_MAX)
            builder_stop(&builder, &(yaml_mark_t){0}, ERR_FULL, "longer than 1 MiB; use a file");
        else
            builder_run(&builder, yaml);
        return builder.failed ? NULL : builder.root;
    }
    struct node like = {.kind = NODE_SCALAR, .file = origin, .size = strlen(value)};
    like.text = document_copy(document, value, like.size);
    struct node *node = like.text ? node_new(document, &like) : NULL;
    if (!node) problems_add(problems, ERR_NOMEM, origin, "out of memory");
    return node;
}

/// Make *node be what `value` is, at the place where *node stands.
static void node_replace(struct node *node, const struct node *value) {
    struct node place = *node;
    *node = *value;
    node->index = place.index, node->key = place.key;
    node->parent = place.parent, node->next = place.next;
    for (struct node *child = node->first; child; child = child->next)
        child->parent = node;
}

static struct node *list_entry(const struct node *list, const char *number) {
    char *end = NULL;
    unsigned long wanted = strtoul(number, &end, 10);
    if (*number < '0' || *number > '9' || *end || wanted >= list->count) return NULL;
    struct node *entry = list->first;
    while (entry && entry->index != wanted)
        entry = entry->next;
    return entry;
}

static bool is_empty(const struct node *node) {
    return node->kind == NODE_SCALAR && node->size == 0;
}

/// One step of a path that exists already; NULL with *missing: a map lacks it; without: reported.
static struct node *step_down(struct node *at, const char *part, const char *origin, bool *missing,
                              struct problems *problems) {
    char path[NODE_PATH_SIZE];
    *missing = false;
    if (at->kind == NODE_LIST) {
        struct node *entry = list_entry(at, part);
        if (!entry)
            problems_add(problems, ERR_MISSING, origin,
                         "%s has %zu entries, '%.40s' is not one of them; count from 0",
                         node_path(at, path), at->count, part);
        return entry;
    }
    if (at->kind == NODE_SCALAR && !is_empty(at)) {
        problems_add(problems, ERR_CONFLICT, origin,
                     "%s is a single value and has no '%.40s'; set it as a whole",
                     node_path(at, path), part);
        return NULL;
    }
    struct node *child = at->kind == NODE_MAP ? (struct node *)node_find(at, part) : NULL;
    *missing = !child;
    return child;
}

/// New maps for the parts [from, count) below `at`, the last holding the value. Changes the tree
/// only when all of them were made.
static bool graft(struct document *document, struct node *at, char **parts, size_t from,
                  size_t count, struct node *value, const char *origin) {
    for (size_t i = count; i-- > from;) {
        value->key = document_copy(document, parts[i], strlen(parts[i]));
        if (!value->key) return false;
        if (i == from) break;
        struct node *map = node_new(document, &(struct node){.kind = NODE_MAP, .file = origin});
        if (!map) return false;
        node_append(map, value);
        value = map;
    }
    if (at->kind != NODE_MAP) node_replace(at, &(struct node){.kind = NODE_MAP, .file = origin});
    node_append(at, value);
    return true;
}

/// Cut a path at its dots, in place; 0: a part is empty or there are too many.
static size_t path_cut(char *path, char *parts[DOCUMENT_DEPTH_MAX]) {
    size_t count = 0;
    for (char *part = path; part;) {
        char *dot = strchr(part, '.');
        if (dot) *dot = '\0';
        if (!*part || count == DOCUMENT_DEPTH_MAX) return 0;
        parts[count++] = part;
        part = dot ? dot + 1 : NULL;
    }
    return count;
}

bool document_set(struct document *document, const char *path, const char *value,
                  struct problems *problems) {
    char shown[NODE_PATH_SIZE * 2];
    int written = snprintf(shown, sizeof shown, "--set %.100s=%.100s", path, value);
    assert(written > 0 && (size_t)written < sizeof shown);
    char *origin = document_copy(document, shown, strlen(shown));
    char *copy = document_copy(document, path, strlen(path));
    if (!origin || !copy) {
        problems_add(problems, ERR_NOMEM, shown, "out of memory");
        return false;
    }
    char *parts[DOCUMENT_DEPTH_MAX];
    size_t count = path_cut(copy, parts);
    if (!count) {
        problems_add(problems, ERR_FORMAT, origin,
                     "'%.60s' is not a path; write KEY=VALUE or KEY.NUMBER.KEY=VALUE", path);
        return false;
    }
    struct node *fresh = value_new(document, origin, value, count, problems);
    if (!fresh) return false;
    struct node *at = document->root;
    for (size_t i = 0; i < count; i++) {
        bool missing = false;
        struct node *child = step_down(at, parts[i], origin, &missing, problems);
        if (missing) {
            if (graft(document, at, parts, i, count, fresh, origin)) return true;
            problems_add(problems, ERR_NOMEM, origin, "out of memory");
        }
        if (!child) return false;
        at = child;
    }
    node_replace(at, fresh);
    return true;
}
