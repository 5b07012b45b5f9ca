-- A device on a metered link. It only calls out.
return require 'tidelock.policy'.deny 'this device only calls out'
