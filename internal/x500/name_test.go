package x500

import (
	"bufio"
	"bytes"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// value is an attribute with its type of string.
func value(oid asn1.ObjectIdentifier, tag int, text string) attribute {
	return attribute{Type: oid, Value: asn1.RawValue{Tag: tag, Bytes: []byte(text)}}
}

func utf8(oid asn1.ObjectIdentifier, text string) attribute {
	return value(oid, asn1.TagUTF8String, text)
}

var (
	cn    = asn1.ObjectIdentifier{2, 5, 4, 3}
	c     = asn1.ObjectIdentifier{2, 5, 4, 6}
	l     = asn1.ObjectIdentifier{2, 5, 4, 7}
	st    = asn1.ObjectIdentifier{2, 5, 4, 8}
	stre  = asn1.ObjectIdentifier{2, 5, 4, 9}
	o     = asn1.ObjectIdentifier{2, 5, 4, 10}
	ou    = asn1.ObjectIdentifier{2, 5, 4, 11}
	dc    = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 25}
	uid   = asn1.ObjectIdentifier{0, 9, 2342, 19200300, 100, 1, 1}
	email = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 9, 1}
	sn    = asn1.ObjectIdentifier{2, 5, 4, 5}
)

// names are subjects and what Java prints of them.
var names = []struct {
	name []rdnSET
	want string
}{
	{nil, ""},
	{[]rdnSET{{value(c, asn1.TagPrintableString, "DE")}, {utf8(o, "Example GmbH")}, {utf8(cn, "zk client")}}, "CN=zk client,O=Example GmbH,C=DE"},
	{[]rdnSET{{utf8(st, "Bavaria")}, {utf8(l, "München")}, {utf8(stre, "Weg 1")}, {utf8(ou, "日本")}}, "OU=日本,STREET=Weg 1,L=München,ST=Bavaria"},
	{[]rdnSET{{value(dc, asn1.TagIA5String, "org")}, {value(dc, asn1.TagIA5String, "example")}, {utf8(uid, "bob")}}, "UID=bob,DC=example,DC=org"},
	{[]rdnSET{{utf8(cn, "a"), utf8(ou, "b")}, {utf8(o, "c")}}, "O=c,CN=a+OU=b"},
	{[]rdnSET{{utf8(ou, "b"), utf8(cn, "a")}}, "CN=a+OU=b"}, // DER sorts a set
	{[]rdnSET{{utf8(cn, `a,b=c+d<e>f#g;h"i\j`)}}, `CN=a\,b\=c\+d\<e\>f\#g\;h\"i\\j`},
	{[]rdnSET{{utf8(cn, "  two before, two behind  ")}}, `CN=\ \ two before\, two behind\ \ `},
	{[]rdnSET{{utf8(cn, "\r x \r\n")}}, "CN=\\\r\\ x \r\n"},
	{[]rdnSET{{utf8(cn, "   ")}}, `CN=\ \ \ `},
	{[]rdnSET{{utf8(cn, "")}}, "CN="},
	{[]rdnSET{{utf8(cn, "#1")}}, `CN=\#1`},
	{[]rdnSET{{utf8(cn, "a\x00b\x01c")}}, "CN=a\\00b\x01c"},
	{[]rdnSET{{utf8(cn, "pile 💩")}}, "CN=pile 💩"},
	{[]rdnSET{{value(email, asn1.TagIA5String, "a@b.c")}, {utf8(cn, "a")}}, "CN=a,1.2.840.113549.1.9.1=#16056140622e63"},
	{[]rdnSET{{value(sn, asn1.TagPrintableString, "123")}}, "2.5.4.5=#1303313233"},
	{[]rdnSET{{value(cn, asn1.TagT61String, "t61")}}, "CN=t61"},
	{[]rdnSET{{value(cn, asn1.TagGeneralString, "general")}}, "CN=general"},
	{[]rdnSET{{value(cn, asn1.TagBMPString, "\x00a\x00b")}}, `CN=\00a\00b`},
	{[]rdnSET{{value(cn, asn1.TagNumericString, "12")}}, "CN=#12023132"},
	{[]rdnSET{{value(cn, asn1.TagOctetString, "\x01\x02")}}, "CN=#04020102"},
	{[]rdnSET{{value(cn, asn1.TagT61String, "caf\xe9 noir")}}, "CN=caf\ufffd noir"},
}

func TestName_PrintsAsJavaDoes(t *testing.T) {
	for _, n := range names {
		der, err := asn1.Marshal(n.name)
		require.NoError(t, err)
		got, err := String(der)
		require.NoError(t, err)
		assert.Equal(t, n.want, got)
	}
}

// The table is Java's own word.
func TestName_JavaPrintsTheSame(t *testing.T) {
	if _, err := exec.LookPath("javac"); err != nil {
		t.Skip("no JDK is installed")
	}
	var in bytes.Buffer
	for _, n := range names {
		der, err := asn1.Marshal(n.name)
		require.NoError(t, err)
		in.WriteString(hex.EncodeToString(der) + "\n")
	}
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "Names.java"), []byte(`
import java.io.*;
import java.util.HexFormat;
import javax.security.auth.x500.X500Principal;
class Names {
    public static void main(String[] args) throws IOException {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = in.readLine()) != null;)
            System.out.println(HexFormat.of().formatHex(
                new X500Principal(HexFormat.of().parseHex(line)).getName().getBytes("UTF-8")));
    }
}`), 0o600))
	cmd := exec.Command("java", filepath.Join(dir, "Names.java"))
	cmd.Stdin = &in
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	require.NoError(t, err)
	lines := bufio.NewScanner(bytes.NewReader(out))
	for _, n := range names {
		require.True(t, lines.Scan())
		got, err := hex.DecodeString(lines.Text())
		require.NoError(t, err)
		assert.Equal(t, n.want, string(got))
	}
}

func TestName_RefusesWhatIsNone(t *testing.T) {
	for _, der := range []string{"", "\x30", "\x30\x00\x00", "\x02\x01\x00", "\x30\x02\x31\x01"} {
		_, err := String([]byte(der))
		assert.ErrorContains(t, err, "distinguished name", "%x", der)
	}
}

func FuzzName(f *testing.F) {
	for _, n := range names {
		der, _ := asn1.Marshal(n.name)
		f.Add(der)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		text, err := String(der)
		if err != nil {
			return
		}
		if !strings.Contains(text, "\\\r") && !Valid(text) { // Java does not read that back either
			t.Fatalf("%q may not stand in an ACL", text)
		}
		if strings.ToValidUTF8(text, "") != text {
			t.Fatalf("%q is not UTF-8", text)
		}
		var seq pkix.RDNSequence
		if _, err := asn1.Unmarshal(der, &seq); err == nil && len(seq) > 1 && !strings.Contains(text, ",") {
			t.Fatalf("%q names one of %d", text, len(seq))
		}
	})
}
