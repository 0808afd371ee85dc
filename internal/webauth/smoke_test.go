package webauth
import ("testing";"time")
func TestSmoke(t *testing.T) {
	for range 4 {
	t0:=time.Now()
	w := newWorld(t, options{})
	t.Log("world", time.Since(t0)); t0=time.Now()
	w.person(ada)
	t.Log("person", time.Since(t0)); t0=time.Now()
	}
}
