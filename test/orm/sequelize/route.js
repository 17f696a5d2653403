'use strict';

// A Sequelize (Umzug) migration that makes the table of a model a routed table.
module.exports = {
  up: (queryInterface) => queryInterface.sequelize.query(
    "SELECT router.create_route('consumption', router.by_list('residence_id'), move_rows => true)"),
  down: (queryInterface) => queryInterface.sequelize.query("SELECT router.drop_route('consumption')"),
};
