package x500

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// What X500Principal of OpenJDK 17 says to the same names.
func TestValid_IsJavas(t *testing.T) {
	for _, good := range []string{"", "CN=a", "cn=a", "CN=a,O=b", "CN=a, O=b", "CN=a;O=b", "CN = a", "CN=", "1.2.3=a", "1.2.3=#0401aa",
		"CN=#0401aa", "oid.1.2.3=a", "OID.1.2.3=a", "CN=a+O=b", `CN="a,b"`, `CN=a\,b`, `CN=a\2c`, "EMAILADDRESS=x@y", "UID=u",
		"DC=example,DC=com", "CN=a=b", "CN=é", "CN=a\nb", "CN=a#", "SERIALNUMBER=1", "T=x", "DNQ=1", `CN=a\ `, "CN= a ", "1.2=a", "1.2.03=a", "CN=a  b",
		"CN=a\\\nb", "CN=\"a\nb\"", "\tCN=a", "CN\t=a", "CN=\t a", "CN=a\rb", "CN=a\x00"} {
		assert.True(t, Valid(good), "%q", good)
	}
	for _, bad := range []string{" ", "a", "CN", "=a", "FOO=a", "1.2.3=#04", "CN=#zz", "CN=a,", ",CN=a", "CN=a,,O=b", `CN="a`, `CN=a\`,
		`CN=a\zz`, "E=x@y", "CN=a<b", `CN=a"b`, "TITLE=x", "SN=x", "CN=a>b", "CN=a;", "CN=a+", "+CN=a", "1=a", "3.1=a", "1.40=a", `CN="a" b`, `CN="a"b`,
		"CN=a\\\rb", "CN=a\\\tb", "CN=#61", "CN=#0401aa ,O=b"} {
		assert.False(t, Valid(bad), "%q", bad)
	}
}

func FuzzValid(f *testing.F) {
	for _, s := range []string{"", "CN=a", `CN="a,b"`, `CN=a\2c+O=#0401aa;1.2.3=x`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if Valid(s) && s != "" {
			assert.True(t, Valid(s+",CN=b"), "another attribute behind %q", s)
			assert.False(t, Valid(s+",,CN=b"))
		}
	})
}
