# Turns a Markdown page into a shell script that runs its fenced blocks; README.md beside this file
# says what may stand before a block. The script needs prelude.sh.
#
#   awk -f page.awk README.md

function quoted(text) {
    gsub(/'/, "'\\''", text)
    return "'" text "'"
}

function forget() {
    fragment = args = save = background = needs = ""
    body = prints = 0
    status = 0
}

function wrong(what) {
    print "wrong " NR " " quoted(what)
}

# <!-- test: VERB REST -->
function directive(text,    verb) {
    sub(/^<!-- test: */, "", text)
    sub(/ *-->$/, "", text)
    verb = text
    sub(/ .*/, "", verb)
    sub(/^[^ ]* */, "", text)
    if (verb == "fragment") fragment = text
    else if (verb == "args") args = text
    else if (verb == "save") save = text
    else if (verb == "background") background = text
    else if (verb == "prints") expected[++prints] = text
    else if (verb == "status") status = text
    else if (verb == "body") body = 1
    else if (verb == "do") print text
    else if (verb == "needs") needs = titled ? text : ""
    else if (verb != "alone") wrong("there is no test directive " verb)
    if (verb == "fragment" && text == "") wrong("a fragment needs its reason")
}

# The block's text as a file of the page's folder.
function file(name,    end) {
    end = "END_OF_BLOCK_" line
    if (name ~ /\//)
        print "mkdir -p \"$(dirname " quoted(name) ")\""
    print "cat >" quoted(name) " <<'" end "'"
    printf "%s", block
    print end
}

function run(    i, name) {
    if (language == "") {
        wrong("the block that begins in line " line " names no language")
        return
    }
    if (fragment != "") {
        print "not_run " line " " language " " quoted(fragment)
        return
    }
    if (language == "text")
        return
    if (language !~ /^(sh|json|c|cpp|go|lua|python)$/ && save == "") {
        wrong("nothing runs " language ", the language of the block that begins in line " line)
        return
    }
    if (needs != "")
        print "if all_here " line " " quoted(needs) "; then"
    print "begin " line " " language
    name = "block_" line "." language
    if (save != "")
        file(save)
    if (save != "" && args == "") {
        # For later blocks.
    } else if (language == "sh" && background != "") {
        file(name)
        print "background " line " " quoted(background)
    } else if (language == "sh" && status != 0) {
        file(name)
        print "ends_with " status " sh -eu " name
    } else if (language == "sh") {
        printf "%s", block
    } else if (language == "json") {
        file(name)
        print "check_json " name
    } else {
        file(name)
        if (body)
            print "c_body " name
        print "program " status " " language " " name " " args
    }
    print "end"
    for (i = 1; i <= prints; i++)
        print "prints " line " " quoted(expected[i])
    if (needs != "")
        print "fi"
}

BEGIN { forget() }

!inside && /^ *<!-- test: .*-->$/ {
    sub(/^ */, "")
    directive($0)
    next
}

!inside && /^#/ { titled = 1 }

!inside && /^ *```/ {
    inside = 1
    line = NR
    indent = match($0, /[^ ]/) - 1
    language = substr($0, indent + 4)
    block = ""
    next
}

inside && /^ *```$/ {
    inside = 0
    run()
    forget()
    next
}

inside {
    text = $0
    for (i = 0; i < indent; i++)
        sub(/^ /, "", text)
    block = block text "\n"
    next
}

# Four blanks after an empty line are a block as well, unless they go on with a list.
/^    / && empty && !list { wrong("an example that is only indented is not tested: fence it") }
/^[^ ]/ { list = /^([-*]|[0-9]+\.) / }
{ empty = /^$/ }

END {
    if (inside)
        wrong("the block that begins in line " line " does not end")
}
