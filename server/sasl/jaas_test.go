package sasl_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/server/sasl"
)

func TestJAAS_UsersOfASection(t *testing.T) {
	users, err := sasl.ReadUsers([]byte(`// who may come
Client {
       org.apache.zookeeper.server.auth.DigestLoginModule required
       username="bob"
       password="bobsecret";
};
/* Kerberos
 * elsewhere */
QuorumServer { com.sun.security.auth.module.Krb5LoginModule required useKeyTab=true keyTab="/etc/k"; };
Server {
       org.apache.zookeeper.server.auth.DigestLoginModule required
       user_super="adminsecret" user_bob = bobsecret
       "user_eve@x"='a "quote"' user_tab="a\tb\101\"\\" user_zoë="pässword" user_=nobody debug=true;
       org.apache.zookeeper.server.auth.DigestLoginModule OPTIONAL user_late="x}";
};
`), "Server")
	require.NoError(t, err)
	assert.Equal(t, sasl.Users{"super": "adminsecret", "bob": "bobsecret", "eve@x": `a "quote"`, "tab": "a\tbA\"\\",
		"zoë": "pässword", "late": "x}"}, users)
}

func TestJAAS_FaultsNameTheLine(t *testing.T) {
	const digest = "org.apache.zookeeper.server.auth.DigestLoginModule required "
	for text, want := range map[string]string{
		"":                              "there is no section Server",
		"Client {};":                    "there is no section Server",
		"Server {};":                    `section Server names no user`,
		"Server {\n" + digest + ";\n};": `names no user`,
		"\nServer {\ncom.sun.security.auth.module.Krb5LoginModule required;};": "line 3: section Server asks for Kerberos",
		"Server { a.b.C required; };":                                          "line 1: login module a.b.C is not known",
		"Server { a.b.C; };":                                                   "line 1: ';' is unexpected; want required",
		"Server { a.b.C must; };":                                              "line 1: want required",
		"Server {\n" + digest + "user_a b;};":                                  "line 2: want = behind user_a",
		"Server {\n" + digest + "user_a=;};":                                   "line 2: ';' is unexpected; want a value for user_a",
		"Server {\n" + digest + "user_a=\"b;\n};":                              "line 2: a quote has no end",
		"Server {\n" + digest + "user_a=\"b\";":                                "the file ends; want a login module or }",
		"Server {\n" + digest + "user_a=\"b\";}":                               "the file ends; want ; behind the section",
		"Server {\n" + digest + "user_a=b#c;};":                                "line 2: '#' must stand in quotes",
		"Server {" + digest + "user_a=\"${x}\";};":                             "names a property of Java",
		"Server {" + digest + "user_a=b;};\n/* ":                               "line 2: a comment has no end",
		"Server {" + digest + "user_a=b;};\nServer {" + digest + "user_a=b;};": "line 2: section Server is there twice",
		"{":   "want the name of a section",
		"S ;": "';' is unexpected; want {",
	} {
		_, err := sasl.ReadUsers([]byte(text), sasl.DefaultSection)
		assert.ErrorContains(t, err, want, text)
	}
}

func FuzzJAAS(f *testing.F) {
	for _, seed := range []string{"Server { org.apache.zookeeper.server.auth.DigestLoginModule required user_a=\"b\"; };",
		"S{a b c=d;};//", "/*", "/", `S { a required b="\7`, "'", "\"\\"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		users, err := sasl.ReadUsers(text, "Server")
		if (err == nil) != (len(users) > 0) {
			t.Fatalf("%q: %d users, %v", text, len(users), err)
		}
	})
}
