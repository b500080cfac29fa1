# Turns the examples within the comments of include/us3.h into a Markdown page for page.awk: the program
# and the policies of its first comment, and the configuration at us3_client_from_file.

function begin(language, indent) {
    print "```" language
    inside = language
    margin = indent
}

function end() {
    print "```"
    inside = ""
}

!inside && /^ \*     #include/ {
    print "<!-- test: do cp video.mp4 a.jpg -->"
    print "<!-- test: prints stored, and the callback answered {\" -->"
    begin("c", 7)
}
!inside && /^ \*     \{"callbackUrl"/ { begin("json", 7) }
!inside && /^ \*   \{$/ { begin("json", 5) }

inside == "json" && /^ \*$/ { end() }

inside {
    line = substr($0, margin + 1)
    gsub(/example\.com/, "127.0.0.1:8000", line)
    print line
}

inside == "c" && /^ \*     }$/ { end() }
