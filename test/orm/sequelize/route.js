'use strict';

// A Sequelize (Umzug) migration that makes the table of a model a routed table.
module.exports = {
  up: (queryInterface) => queryInterface.sequelize.query(
    "CALL router.convert('consumption', router.by_list('residence_id'))"),
  down: (queryInterface) => queryInterface.sequelize.query("SELECT router.drop_route('consumption', rows => 'base')"),
};
