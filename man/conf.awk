# waybill.conf(5), as scdoc(5), out of the file that is shipped: its comments are
# the page, so that the two cannot differ.
#
# A block of the file is a title ("# --- TITLE ---"), or comments and the keys that
# they are about, at their defaults; the first one is about the file.

BEGIN {
    RS = ""
    FS = "\n"
    print "waybill.conf(5) \"\" \"Waybill\"\n"
    print "# NAME\n\nwaybill.conf - configuration of Waybill\n"
    print "# SYNOPSIS\n\n/etc/waybill/waybill.conf\n"
    print "# DESCRIPTION\n"
}

function plain(text) {
    gsub(/[*_\\#~<>\[]/, "\\\\&", text)
    return text
}

function print_about() {
    for (i = 3; i <= NF; i++) # without the first sentence
        print plain(substr($i, 3))
    print "\nA secret may stand in a file of its own, which *KEY\\_FILE=* names.\n"
    print "# KEYS\n"
}

function print_keys() {
    keys = text = ""
    for (i = 1; i <= NF; i++) {
        if ($i ~ /^#[A-Z_]+=/) {
            key = substr($i, 2, index($i, "=") - 1)
            value = plain(substr($i, index($i, "=") + 1))
            keys = keys (keys == "" ? "" : "++\n") "*" plain(key) "*" value
        } else if ($i == "#")
            text = text "\n"
        else
            text = text "\t" plain(substr($i, 3)) "\n"
    }
    print keys "\n" text
}

NR == 1 { print_about(); next }
/^# --- / { gsub(/^# -* | -*$/, ""); print "## " plain($0) "\n"; next }
{ print_keys() }

END {
    print "# SEE ALSO\n\n*waybill*(8), *waybill-fcgi*(8), systemd.exec(5)"
}
