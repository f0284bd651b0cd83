package gossip
import ("testing";"time";"fmt";"log/slog";"os";"github.com/quorate/quorate/ensemble")
func TestDbg(t *testing.T){
	rare := func(c *Config) { c.Timing.PushPull = time.Hour; c.Logger=slog.New(slog.NewTextHandler(os.Stdout,&slog.HandlerOptions{Level:slog.LevelDebug})) }
	a := start(t, 1, rare)
	b := start(t, 2, func(c *Config) { rare(c); joining(a)(c) })
	c := start(t, 3, func(c *Config) { rare(c); joining(a)(c) })
	for version := range int64(3) {
		for _, v := range []*voice{a, b, c} {
			v.until(func() bool { return v.sees(1, 2, 3) }, "all three")
		}
		view, _ := ensemble.ParseView(fmt.Sprintf("server.1=h1:2888:3888\nversion=%x", version))
		_ = b.SetView(view)
		fmt.Println("SET", version)
		for _, v := range []*voice{a, b, c} {
			for i:=0;;i++ { got := v.View(); if got != nil && got.Version() == version {break}; time.Sleep(5*time.Millisecond); if i==600 {
				for _, v := range []*voice{a, b, c} { fmt.Println(v.cfg.Self, "has", v.table.version()); for _,m:=range v.Members(){fmt.Printf("   %+v\n",m)}; fmt.Printf("   self meta %+v\n", v.meta)}
				t.FailNow()
			}}
		}
	}
}
