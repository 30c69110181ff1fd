# tests/docs/extract.awk: takes the examples out of the documentation and makes C programs of them.
#
# Run at the top of the tree:  awk -v out=FOLDER -f tests/docs/extract.awk README.md docs/*.md */*.h
#
# In a Markdown file an example is a ```c block. "<!-- continues -->" before it joins it to the program of the
# block before. In a header it is what the head comment indents; lines that begin with "..." are left out, and a
# line "prints OUTPUT: why" says what it prints.
# A program without a main gets one: functions, types and #includes stay outside, the rest goes into it,
# with a tape and params where it makes none of its own, and with a check for errors where it does not look
# itself. A ```text block is what the program of the last ```c block prints.
#
# Writes FOLDER/<name>.c, FOLDER/<name>.expected where there is one, and FOLDER/list: name and number of
# blocks of each program. What surrounds an example of a header comes from tests/docs/around.h.

function start(file) {
    finish()
    blocks = lines = expected_lines = 0
    name = file
    sub(/\.(md|h)$/, "", name)
    gsub(/[^A-Za-z0-9]/, "_", name)
    name = name "_" ++programs_in[file]
    source = file
    has_main = has_tape = looks = shows = 0
}

function add(text) {
    code[++lines] = text
    at[lines] = ++line_of_block
    if (text ~ /^int main\(/) has_main = 1
    if (text ~ /gt_tape [*]tape =|gt_params [*]params =/) has_tape = 1
    if (text ~ /gt_(error|failed|params_error)\(/) looks = 1
}

# Is code[i] at file level? Such a piece ends with a closing brace in column 1, or, where no brace has opened a
# line's end yet, with a line that ends in a semicolon or a brace.
function outside(i,   line) {
    line = code[i]
    sub(/ *\/\*.*\*\/$/, "", line)
    if (piece == "" && line ~ /^#/) return 1
    if (piece == "" && line !~ /^(static|typedef|enum|struct|const gt_op) /) return 0
    if (piece == "") piece = "begun"
    if (line ~ /\{$/) piece = "body"
    if (piece == "body" ? line ~ /^}/ : line ~ /[;}]$/) piece = ""
    return 1
}

# The lines that are outside (or not), under their numbers in the block: messages name these.
function write_lines(file, wanted,   i, last) {
    last = -1
    piece = ""
    for (i = 1; i <= lines; i++) {
        if (outside(i) != wanted && !has_main) continue
        if (has_main && !wanted) return
        if (i != last + 1 || at[i] != at[last] + 1) printf "#line %d \"example.c\"\n", at[i] > file
        last = i
        print code[i] > file
    }
    print "#line 1 \"around\"" > file
}

function finish(   file, i) {
    if (name == "" || blocks == 0) return
    file = out "/" name ".c"
    print "/* " source ", program " programs_in[source] ": written by tests/docs/extract.awk. */" > file
    print "#define EXAMPLE_" name "\n#include \"tests/docs/around.h\"" > file
    print "int " name "(void);\n#define main " name > file
    write_lines(file, 1)
    if (!has_main) {
        print "int main(void) {" > file
        if (!has_tape)
            print "gt_params *params = gt_params_new(NULL, 1);\ngt_tape *tape = gt_tape_new(params);" > file
        write_lines(file, 0)
        print "AFTER" > file
        if (!has_tape && !looks) print "if (gt_failed(tape)) return puts(gt_error(tape)), 1;" > file
        if (!has_tape) print "gt_tape_free(tape);\ngt_params_free(params);" > file
        print "return 0;\n}" > file
    }
    close(file)
    file = out "/" name ".expected"
    if (shows) printf "" > file
    for (i = 1; i <= expected_lines; i++) print expected[i] > file
    close(file)
    print name, blocks > (out "/list")
    name = ""
}

FNR == 1 {
    finish()
    name = ""
    state = ""
    comment = FILENAME ~ /\.h$/
    if (comment) start(FILENAME)
    line_of_block = 0
}

# ---- a header's head comment
comment && /^ \*     [^.]/ { add(substr($0, 8)); blocks = 1 }
comment && /^ \* prints [^:]*:/ {
    expected[++expected_lines] = substr($0, 11, index($0, ":") - 11)
    shows = 1
}
comment && /\*\// { comment = 0; nextfile }
comment { next }

# ---- Markdown
state == "" && /^<!-- continues -->$/ { continues = 1; next }
state == "" && /^```c$/ {
    if (!continues) start(FILENAME)
    continues = 0
    blocks++
    line_of_block = 0
    state = "c"
    next
}
state == "" && /^```text$/ { state = "text"; shows = 1; next }
state == "" && /^```/ { state = "other"; next }
state != "" && /^```$/ { state = ""; next }
state == "c" { add($0) }
state == "text" { expected[++expected_lines] = $0 }

END { finish() }
