// Package house keeps the plan of the house: which package may import which,
// and what a pure package may know. It has nothing but a test.
package house
