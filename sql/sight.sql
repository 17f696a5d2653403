
-- ---------------------------------------------------------------- sight
-- Sizes, growth, what if, balance and findings: see src/sight/.
