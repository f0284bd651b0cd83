//go:build unix

package cli

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWholeFile_LeavesWhatIsNoFile(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write := func(name string) {
		t.Helper()
		f, err := createWhole(at(name), 0o644)
		require.NoError(t, err)
		_, err = io.WriteString(f, "new")
		require.NoError(t, f.finish(err))
	}
	content := func(name string) string {
		t.Helper()
		b, err := os.ReadFile(at(name))
		require.NoError(t, err)
		return string(b)
	}
	mode := func(name string) os.FileMode {
		t.Helper()
		st, err := os.Lstat(at(name))
		require.NoError(t, err)
		return st.Mode()
	}

	require.NoError(t, os.WriteFile(at("real"), []byte("something old"), 0o640))
	require.NoError(t, os.Symlink(at("real"), at("link")))
	write("link")
	require.Equal(t, os.ModeSymlink, mode("link")&os.ModeType)
	require.Equal(t, os.FileMode(0o640), mode("real"), "the permissions stay")
	require.Equal(t, "new", content("real"))

	require.NoError(t, syscall.Mkfifo(at("pipe"), 0o600))
	read := make(chan string)
	go func() {
		b, err := os.ReadFile(at("pipe"))
		read <- string(b) + errText(err)
	}()
	write("pipe")
	require.Equal(t, "new", <-read)
	require.Equal(t, os.ModeNamedPipe, mode("pipe")&os.ModeType)

	require.NoError(t, os.Symlink("/dev/null", at("null")))
	write("null")
	require.Equal(t, os.ModeSymlink, mode("null")&os.ModeType)

	f, err := createWhole(at("real"), 0o644)
	require.NoError(t, err)
	require.Error(t, f.finish(errors.New("it went wrong")))
	require.Equal(t, "new", content("real"))
	_, err = os.Stat(at("real.part"))
	require.ErrorIs(t, err, os.ErrNotExist)
}

func errText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
